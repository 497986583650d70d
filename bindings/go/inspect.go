package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
)

// IsBare tells whether the repository has no working tree.
func (e *Engine) IsBare() bool { return e.bare }

// Warnings are about the repository, for a person to read: settings that tinyci does not know, a
// repository that was moved, paths that commands cannot use.
func (e *Engine) Warnings() ([]string, error) {
	text, err := e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_engine_warnings(c, out, err)
	})
	return lines(text), err
}

// RemoteURL is the URL that pushes to a remote go to; the remote "" is origin.
func (e *Engine) RemoteURL(remote string) (string, error) {
	var t texts
	name := t.optional("remote", remote)
	return e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_remote_url(c, name, out, err)
	})
}

// Resolve finds the full id of the commit that a revision names. The error is ErrNotFound if it names
// none.
func (e *Engine) Resolve(revision string) (string, error) {
	var t texts
	rev := t.of("revision", revision)
	return e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_resolve(c, rev, out, err)
	})
}

// Commit reads the commit that a revision names.
func (e *Engine) Commit(revision string) (*Commit, error) {
	commits, err := e.Commits(revision)
	if err != nil {
		return nil, err
	}
	if len(commits) != 1 {
		return nil, &Error{Status: ErrInvalidArg, Message: "the revision is not one line"}
	}
	return &commits[0], nil
}

// Commits reads the commits that revisions name, in their order. Many in one call are far cheaper than
// a call for each.
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

// LogOptions say which log is read. The zero value is the whole log of all runs.
type LogOptions struct {
	// Revision is the commit whose last job's log is read, in git's syntax; "" for that of all runs.
	Revision string
	// Last is how many of the last lines to begin with; 0 for all, below 0 for none.
	Last int
	// Follow continues with lines as they are written, until the job of the commit is over or the
	// context ends.
	Follow bool
}

// Log reads a log, whose lines come as Output. It runs nothing, and has no records.
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

// CheckTextIn does what CheckText does, for a script that imports from a commit.
func (e *Engine) CheckTextIn(revision, text string, format Format, name string) (*Check, error) {
	var t texts
	rev, config, called := t.of("revision", revision), t.raw(text), t.of("name", name)
	return e.check(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		length := C.size_t(len(text))
		return C.tinyci_check_text_json(c, rev, config, length, C.int32_t(format), called, out, err)
	})
}

// A DefinitionsFormat is a form of the script API's reference.
type DefinitionsFormat int32

const (
	// DefinitionsJSON is one line of JSON, for programs.
	DefinitionsJSON DefinitionsFormat = C.TINYCI_DEFINITIONS_JSON
	// DefinitionsMarkdown is a page, for people.
	DefinitionsMarkdown DefinitionsFormat = C.TINYCI_DEFINITIONS_MARKDOWN
	// DefinitionsRhai is a file of definitions, for the language server of Rhai.
	DefinitionsRhai DefinitionsFormat = C.TINYCI_DEFINITIONS_RHAI
)

// Definitions is the reference of the script API: what `tinyci defs` prints.
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

// Definitions is the reference of the script API, with the functions of this engine.
func (e *Engine) Definitions(format DefinitionsFormat) (string, error) {
	return e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_definitions(c, C.int32_t(format), out, err)
	})
}

// TestOptions say which tests of a script are run. The zero value is all tests of the files at the
// path that the engine was opened with.
type TestOptions struct {
	// Revision is the commit whose script and tests are meant, in git's syntax; "" for the files of a
	// directory.
	Revision string
	// Dir is that directory; "" for the path that the engine was opened with.
	Dir string
	// Filters are parts of the names of the tests to run; none for all.
	Filters []string
	// Coverage finds out which lines no test runs.
	Coverage bool
}

// A TestReport says how the tests of a script ended.
type TestReport struct {
	// Passed tells whether all that were run passed.
	Passed bool
	// Tests are those that were run, in the order of the file.
	Tests []TestResult
	// LeftOut is how many tests the filters left out.
	LeftOut int `json:"left_out"`
	// JSON is all of it, with the coverage, as `tinyci test-pipeline --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A TestResult says how one test ended.
type TestResult struct {
	// Name is the name of its function.
	Name string
	// Line is where that begins.
	Line int
	// Passed tells whether it passed.
	Passed bool
	// Failure says why not; nil if it passed.
	Failure *TestFailure
}

// A TestFailure says why a test failed.
type TestFailure struct {
	// Message says it in a sentence, Report in lines for a person.
	Message, Report string
}

// TestPipeline runs the tests of a script. Nothing of the script is run. A test that fails is no error.
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

// ToRhai is a script that does the same as a pipeline in YAML: what `tinyci convert` prints.
func (p *Pipeline) ToRhai() (string, error) {
	var out *C.char
	_, err := call(func(err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_pipeline_to_rhai(p.c, &out, err)
	})
	runtime.KeepAlive(p)
	return taken(out), err
}

// UnrecognizedLines are the lines among a commit's records that tinyci cannot read: damaged ones,
// another program's, or forged ones.
func (e *Engine) UnrecognizedLines(revision string) ([]string, error) {
	var t texts
	rev := t.of("revision", revision)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_unrecognized_lines(c, rev, out, err)
	})
	return lines(text), err
}

// Deployed is what is deployed to an environment now, "" for production; nil for nothing.
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

// An Assumption is the output that a plan assumes of commands, since plans run nothing.
type Assumption struct {
	// Command is a glob over commands, such as "git describe*"; the first that matches applies.
	Command string
	// Output is what such a command is assumed to write.
	Output string
}

// assume hands assumptions to one of the functions that add them.
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

// summaryOf is the summary of a run that is over.
func summaryOf(run *C.tinyci_run) (json.RawMessage, error) {
	var out *C.char
	_, err := call(func(err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_run_summary_json(run, &out, err)
	})
	return json.RawMessage(taken(out)), err
}
