package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
)

// IsBare returns true if the repository has no working tree.
func (e *Engine) IsBare() bool { return e.bare }

// Warnings returns messages about the repository for a person: unknown settings, a repository that was
// moved, paths that commands cannot use.
func (e *Engine) Warnings() ([]string, error) {
	text, err := e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_engine_warnings(c, out, err)
	})
	return lines(text), err
}

// RemoteURL returns the URL that pushes to a remote go to. The remote "" is origin.
func (e *Engine) RemoteURL(remote string) (string, error) {
	var t texts
	name := t.optional("remote", remote)
	return e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_remote_url(c, name, out, err)
	})
}

// Resolve returns the full id of the commit that a revision names, or ErrNotFound.
func (e *Engine) Resolve(revision string) (string, error) {
	var t texts
	rev := t.of("revision", revision)
	return e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_resolve(c, rev, out, err)
	})
}

// Commit returns the commit that a revision names.
func (e *Engine) Commit(revision string) (*Commit, error) {
	commits, err := e.Commits(revision)
	if err != nil {
		return nil, err
	}
	if len(commits) != 1 {
		return nil, &Error{Code: ErrInvalidArg, Message: "the revision is not one line"}
	}
	return &commits[0], nil
}

// Commits returns the commits that revisions name, in their order. One call for many is much faster than
// one call for each.
func (e *Engine) Commits(revisions ...string) (commits []Commit, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		var t texts
		var found *C.tinyci_commits
		revs := t.of("revision", strings.Join(revisions, "\n"))
		if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_commits_load(c, revs, &found, err)
		}); err != nil {
			return err
		}
		defer C.tinyci_commits_free(found)
		commits, err = commitsOf(found)
		return err
	})
	return commits, err
}

// LogOptions select a log. The zero value is the complete log of all runs.
type LogOptions struct {
	// Revision selects the log of the last job of a commit, in git's revision syntax; "" for the log of all
	// runs.
	Revision string
	// Last is the number of last lines to begin with; 0 for all, below 0 for none.
	Last int
	// Follow continues with new lines until the commit's job ends or the context does.
	Follow bool
}

// Log reads a log; its lines come as Output. It runs no commands and has no records.
func (e *Engine) Log(ctx context.Context, options LogOptions) *Run {
	last, flags := C.int64_t(options.Last), C.uint32_t(0)
	switch {
	case options.Last == 0:
		last = -1
	case options.Last < 0:
		last = 0
	}
	if options.Follow {
		flags |= C.TINYCI_LOG_FOLLOW
	}
	return e.start(ctx, func(c *C.tinyci_engine, cancel *C.tinyci_cancel, out **C.tinyci_run) error {
		var t texts
		rev := t.optional("revision", options.Revision)
		_, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_log_start(c, rev, last, flags, cancel, out, err)
		})
		return err
	})
}

// CheckTextIn is like CheckText, for a script that imports files from a commit.
func (e *Engine) CheckTextIn(revision, text string, format Format, name string) (*Check, error) {
	var t texts
	rev, config, called := t.of("revision", revision), t.raw(text), t.of("name", name)
	return e.check(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		length := C.size_t(len(text))
		return C.tinyci_check_text_json(c, rev, config, length, C.int32_t(format), called, out, err)
	})
}

// A DefinitionsFormat is a format of the script API reference.
type DefinitionsFormat int32

const (
	// DefinitionsJSON is one line of JSON.
	DefinitionsJSON DefinitionsFormat = C.TINYCI_DEFINITIONS_JSON
	// DefinitionsMarkdown is a page of Markdown.
	DefinitionsMarkdown DefinitionsFormat = C.TINYCI_DEFINITIONS_MARKDOWN
	// DefinitionsRhai is a definition file for the Rhai language server.
	DefinitionsRhai DefinitionsFormat = C.TINYCI_DEFINITIONS_RHAI
)

// Definitions returns the script API reference, as `tinyci defs` prints it.
func Definitions(format DefinitionsFormat) (string, error) {
	if err := compatible(); err != nil {
		return "", err
	}
	var out *C.char
	_, err := call(func(err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_definitions(nil, C.int32_t(format), &out, err)
	})
	return taken(out), err
}

// Definitions returns the script API reference with the registered functions of this engine.
func (e *Engine) Definitions(format DefinitionsFormat) (string, error) {
	return e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_definitions(c, C.int32_t(format), out, err)
	})
}

// TestOptions select tests of a script. The zero value is all tests of the files at the path that the
// engine was opened with.
type TestOptions struct {
	// Revision is the commit with the script and its tests, in git's revision syntax; "" for the files of a
	// directory.
	Revision string
	// Dir is that directory; "" for the path that the engine was opened with.
	Dir string
	// Filters are substrings of test names; none for all tests.
	Filters []string
	// Coverage reports which lines the tests run.
	Coverage bool
}

// A TestReport has the results of a script's tests.
type TestReport struct {
	// Passed is true if all tests that ran passed.
	Passed bool
	// Tests are the tests that ran, in the order of the file.
	Tests []TestResult
	// FilteredOut is the number of tests that the filters excluded.
	FilteredOut int `json:"filtered_out"`
	// JSON is the complete report with the coverage, as `tinyci test-pipeline --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A TestResult is the result of one test.
type TestResult struct {
	// Name is the name of the test function.
	Name string
	// Line is the line of the test function.
	Line int
	// Passed is true if the test passed.
	Passed bool
	// Failure says why the test failed; nil if it passed.
	Failure *TestFailure
}

// A TestFailure says why a test failed.
type TestFailure struct {
	// Message is one sentence; Report has several lines for a person.
	Message, Report string
}

// TestPipeline runs the tests of a script. It runs no commands. A failed test is not an error.
func (e *Engine) TestPipeline(options TestOptions) (*TestReport, error) {
	var flags C.uint32_t
	if options.Coverage {
		flags |= C.TINYCI_TEST_COVERAGE
	}
	var t texts
	rev, dir := t.optional("revision", options.Revision), t.optional("directory", options.Dir)
	filters := t.optional("filter", strings.Join(options.Filters, "\n"))
	report := new(TestReport)
	var err error
	report.JSON, err = e.report(&t, report, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_test_pipeline_json(c, rev, dir, filters, flags, out, err)
	})
	if err != nil {
		return nil, err
	}
	return report, nil
}

// ToRhai converts a YAML pipeline to an equivalent script, as `tinyci convert` does.
func (p *Pipeline) ToRhai() (string, error) {
	var out *C.char
	_, err := call(func(err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_pipeline_to_rhai(p.c, &out, err)
	})
	runtime.KeepAlive(p)
	return taken(out), err
}

// UnrecognizedLines returns the lines in a commit's records that tinyci cannot read: damaged or forged
// lines, or lines of another program.
func (e *Engine) UnrecognizedLines(revision string) ([]string, error) {
	var t texts
	rev := t.of("revision", revision)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_unrecognized_lines(c, rev, out, err)
	})
	return lines(text), err
}

// Deployed returns the deployment that is live in an environment, or nil. The environment "" is production.
func (e *Engine) Deployed(environment string) (*Deployment, error) {
	var t texts
	name := t.optional("environment", environment)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_deployed_json(c, name, out, err)
	})
	if err != nil || text == "" {
		return nil, err
	}
	deployment := new(Deployment)
	return deployment, json.Unmarshal([]byte(text), deployment)
}

// An Assumption is the output that a dry run assumes of commands, since it runs none.
type Assumption struct {
	// Command is a glob over commands, such as "git describe*". The first assumption that matches applies.
	Command string
	// Output is the assumed output.
	Output string
}

// assume passes assumptions to one of the functions that add them.
func assume(assumptions []Assumption, add func(command, output *C.char, err **C.tinyci_error) C.tinyci_code) error {
	for _, assumption := range assumptions {
		var t texts
		command, output := t.of("command", assumption.Command), t.of("output", assumption.Output)
		if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return add(command, output, err)
		}); err != nil {
			return err
		}
	}
	return nil
}

// summaryOf returns the summary of a run that has ended.
func summaryOf(run *C.tinyci_run) (json.RawMessage, error) {
	var out *C.char
	_, err := call(func(err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_run_summary_json(run, &out, err)
	})
	return json.RawMessage(taken(out)), err
}
