package tinyci

// #include <tinyci.h>
import "C"

import "encoding/json"

// A Plan says which jobs a run would start.
type Plan struct {
	// Jobs are the jobs, in order.
	Jobs []Job
	// OutOfAttempts are the full ids of commits that are out of attempts: only a Retry tests them.
	OutOfAttempts []string `json:"out_of_attempts"`
	// Baselined are the full ids of commits below the baseline. They stay without a verdict.
	Baselined []string
	// JSON is the complete plan, as `tinyci plan --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A Job is a commit that a run would test.
type Job struct {
	// Trigger is why: "pending", "unfinished", "named" or "retry". Later libraries may have others.
	Trigger string
	// Commit is the commit.
	Commit Commit
}

// Plan returns what a run would do, without doing it.
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

// A Check lists the problems of a config.
type Check struct {
	// File is the checked file.
	File string
	// Valid is true if the config can be run.
	Valid bool
	// Problems are the errors, and the warnings about valid code that is probably a mistake.
	Problems []Problem
	// JSON is the complete report, as `tinyci check --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A Problem is an error or a warning about a config.
type Problem struct {
	// Severity is "error" or "warning". A config with warnings only is valid.
	Severity string
	// File is the file; "" if the problem is about no file.
	File string
	// Line and Column are the position, from 1; 0 if the problem has none.
	Line, Column int
	// Message describes the problem.
	Message string
}

// Check checks the config of a commit. An invalid config is not an error; see Valid.
func (e *Engine) Check(revision string) (*Check, error) {
	var t texts
	rev := t.of("revision", revision)
	return e.check(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_check_json(c, rev, out, err)
	})
}

// CheckText checks a config that is not committed. The name, such as ".tinyci.yml", is for the report.
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

// Results returns records, newest commit first: for each commit the record behind its verdict, or with
// allAttempts the records of all its jobs.
func (e *Engine) Results(filter RecordFilter, allAttempts bool) (records []Record, err error) {
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

// A RepositoryStatus is the status of a repository.
type RepositoryStatus struct {
	// Pending are the commits that a run would test.
	Pending []Commit
	// Unfinished are the full ids of commits whose last job has no end on record.
	Unfinished []string
	// OutOfAttempts are the full ids of commits that are out of attempts.
	OutOfAttempts []string `json:"out_of_attempts"`
	// Environments are the environments with a deployment, or with a commit that could be deployed.
	Environments []EnvironmentStatus
	// Warnings are messages for a person.
	Warnings []string
	// JSON is the complete status, as `tinyci status --json` prints it, with the active run, the branches
	// and the free disk space.
	JSON json.RawMessage `json:"-"`
}

// An EnvironmentStatus is the status of an environment.
type EnvironmentStatus struct {
	// Name is the name of the environment.
	Name string
	// Deployed is the deployment that is live now, Latest the last one that was started; nil if none.
	Deployed, Latest *Deployment
	// Next is the commit that would be deployed next; nil if none.
	Next *Commit
}

// Status returns the status of the repository.
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

// Settings returns all settings of a repository and their values.
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

// report makes a call that returns JSON, and decodes it.
func (e *Engine) report(t *texts, into any, do textCall) (json.RawMessage, error) {
	text, err := e.text(t, do)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(text), json.Unmarshal([]byte(text), into)
}
