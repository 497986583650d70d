package tinyci

// #include <tinyci.h>
import "C"

import "encoding/json"

// A Plan says what a run would do.
type Plan struct {
	// Jobs are the commits that would be worked on, in their order.
	Jobs []Job
	// Held are the full ids of commits that are out of attempts, and wait for a Retry.
	Held []string
	// Baselined are the full ids of commits that were there before tinyci, and stay without a verdict.
	Baselined []string
	// JSON is all of it, as `tinyci plan --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A Job is a commit to be worked on.
type Job struct {
	// Reason is "pending", "interrupted", "named" or "retry".
	Reason string
	// Commit is which.
	Commit Commit
}

// Plan tells what a run would do, without doing it.
func (e *Engine) Plan(selection Selection) (plan *Plan, err error) {
	err = selection.with(func(s *C.tinyci_selection) error {
		plan = new(Plan)
		plan.JSON, err = e.report(&texts{}, plan, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_plan_json(c, s, out, err)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return plan, nil
}

// A Check says what is wrong with a config.
type Check struct {
	// File is what was checked.
	File string
	// Valid tells whether it can be run.
	Valid bool
	// Problems are what is wrong with it, and what is valid and perhaps not meant.
	Problems []Problem
	// JSON is all of it, as `tinyci check --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A Problem is something that is wrong with a config, or perhaps not meant.
type Problem struct {
	// Severity is "error", or "warning" where the config is valid all the same.
	Severity string
	// File is where; "" where it is about no file.
	File string
	// Line and Column are where in it, from 1; 0 where there is no position.
	Line, Column int
	// Message says what.
	Message string
}

// Check tells what is wrong with the config of a commit. That is no error: Valid tells.
func (e *Engine) Check(revision string) (*Check, error) {
	var t texts
	rev := t.of("revision", revision)
	return e.check(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_check_json(c, rev, out, err)
	})
}

// CheckText tells what is wrong with a config that is not committed yet, which the report calls by
// the name, such as ".tinyci.yml".
func (e *Engine) CheckText(text string, format Format, name string) (*Check, error) {
	var t texts
	config, called := t.raw(text), t.of("name", name)
	return e.check(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		length := C.size_t(len(text))
		return C.tinyci_check_text_json(c, nil, config, length, C.int32_t(format), called, out, err)
	})
}

func (e *Engine) check(t *texts, do textCall) (*Check, error) {
	check := new(Check)
	var err error
	if check.JSON, err = e.report(t, check, do); err != nil {
		return nil, err
	}
	return check, nil
}

// Results tells what became of commits, newest first: of each commit the record that its verdict
// rests on, or with allAttempts every one.
func (e *Engine) Results(filter Filter, allAttempts bool) (records []Record, err error) {
	var flags C.uint32_t
	if allAttempts {
		flags |= C.TINYCI_RESULTS_ALL_ATTEMPTS
	}
	err = filter.with(func(s *C.tinyci_selection) error {
		text, err := e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_results_json(c, s, C.int32_t(filter.Outcome), filter.limit(), flags, out, err)
		})
		for _, line := range lines(text) {
			var record Record
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				return err
			}
			records = append(records, record)
		}
		return err
	})
	return records, err
}

// A RepositoryStatus says how the repository stands.
type RepositoryStatus struct {
	// Due are the commits that a run would work on.
	Due []Commit
	// Interrupted are the full ids of commits whose attempt nobody saw end, Held of those that were
	// tried too often.
	Interrupted, Held []string
	// Environments are where something is deployed, or could be.
	Environments []EnvironmentStatus
	// Warnings are for a person: what should be looked at.
	Warnings []string
	// JSON is all of it, as `tinyci status --json` prints it: also what runs, the branches, and the
	// space that is left.
	JSON json.RawMessage `json:"-"`
}

// An EnvironmentStatus says what is deployed where.
type EnvironmentStatus struct {
	// Name is the environment's.
	Name string
	// Deployed is what runs there, Latest what was tried last; nil for nothing.
	Deployed, Latest *Deployment
	// Next is what would be deployed; nil for nothing.
	Next *Commit
}

// Status tells how the repository stands.
func (e *Engine) Status() (*RepositoryStatus, error) {
	status := new(RepositoryStatus)
	var err error
	status.JSON, err = e.report(&texts{}, status, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_status_json(c, out, err)
	})
	if err != nil {
		return nil, err
	}
	return status, nil
}

// A SettingInfo is a setting of a repository, with its values.
type SettingInfo struct {
	// Key is the name as `git config` takes it: `tinyci.jobs`.
	Key string
	// Values are the values that are set. It is empty if the default applies.
	Values []string
	// Origin is the file that sets the last of them.
	Origin string
	// Default is the default as a value that `git config` takes. It is nil if no value has the same
	// effect.
	Default *string
	// DefaultDescription is the default for people: the value, or words such as `no limit`.
	DefaultDescription string `json:"default_description"`
	// Description is the purpose of the setting, with units.
	Description string
}

// Settings tells every setting that a repository can have, and what is set.
func (e *Engine) Settings() (settings []SettingInfo, err error) {
	text, err := e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_settings_json(c, out, err)
	})
	for _, line := range lines(text) {
		var setting SettingInfo
		if err := json.Unmarshal([]byte(line), &setting); err != nil {
			return settings, err
		}
		settings = append(settings, setting)
	}
	return settings, err
}

// report makes a call that stores JSON, and reads that.
func (e *Engine) report(t *texts, into any, do textCall) (json.RawMessage, error) {
	text, err := e.text(t, do)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(text), json.Unmarshal([]byte(text), into)
}
