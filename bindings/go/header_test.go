package tinyci_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What of the header is not used here, and why.
var skipped = map[string]string{
	"tinyci_cancel_child":          "a context has children of its own",
	"tinyci_cancel_level":          "a context tells whether it ended",
	"tinyci_commit_author":         "a Go string holds the bytes as they are",
	"tinyci_commit_json":           "the fields of Commit have it",
	"tinyci_commit_message":        "a Go string holds the bytes as they are",
	"tinyci_commit_branch":         "a Go string holds the bytes as they are",
	"tinyci_commit_subject":        "a Go string holds the bytes as they are",
	"tinyci_error_code":            "it is what the call returned",
	"tinyci_record_branch":         "the record's JSON has it, with the bytes",
	"tinyci_record_branch_bytes":   "the record's JSON has it",
	"tinyci_record_commit":         "the record's JSON has it",
	"tinyci_record_duration_ms":    "the record's JSON has it",
	"tinyci_record_reason":         "the record's JSON has it",
	"tinyci_record_started_ms":     "the record's JSON has it",
	"tinyci_record_step_count":     "the record's JSON has the steps, with their commands",
	"tinyci_record_step_error":     "the record's JSON has the steps, with their commands",
	"tinyci_record_step_exit_code": "the record's JSON has the steps, with their commands",
	"tinyci_record_step_name":      "the record's JSON has the steps, with their commands",
	"tinyci_record_step_outcome":   "the record's JSON has the steps, with their commands",
	"tinyci_request_arg_string":    "the argument's JSON has it, with NUL bytes",
	"tinyci_run_fd":                "a goroutine waits in Next instead",
	"TINYCI_VALUE_NULL":            "what is nothing else is nil",
	"TINYCI_VERSION_MAJOR":         "VersionNumber has it",
	"TINYCI_VERSION_MINOR":         "VersionNumber has it",
	"TINYCI_VERSION_PATCH":         "VersionNumber has it",
}

// sources are all files of the package.
func sources(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func used(t *testing.T, names []string) {
	t.Helper()
	text := sources(t)
	for _, name := range names {
		uses := regexp.MustCompile(`\bC\.` + name + `\b`).MatchString(text)
		if _, skips := skipped[name]; uses == skips {
			t.Errorf("%s: used is %v, listed as skipped is %v", name, uses, skips)
		}
	}
}

type item struct{ Name string }

// header is what the C library declares.
func header(t *testing.T) (header struct{ Functions, Constants []item }) {
	t.Helper()
	text, err := os.ReadFile("../../include/tinyci.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	return header
}

func names(t *testing.T, items []item) (names []string) {
	t.Helper()
	if len(items) == 0 {
		t.Fatal("no names were found")
	}
	for _, item := range items {
		names = append(names, item.Name)
	}
	return names
}

func TestEveryFunctionOfTheHeaderIsUsedOrSkippedForAReason(t *testing.T) {
	used(t, names(t, header(t).Functions))
}

func TestEveryConstantOfTheHeaderIsUsedOrSkippedForAReason(t *testing.T) {
	used(t, names(t, header(t).Constants))
}
