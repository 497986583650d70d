package tinyci

// #include <tinyci.h>
import "C"

import (
	"encoding/json"
	"fmt"
	"time"
)

// An Outcome says how a step, a job or a deployment ended. Only Success is green. Read an outcome that this
// package does not know as not passed.
type Outcome int32

const (
	// Success: everything that had to pass passed.
	Success Outcome = C.TINYCI_OUTCOME_SUCCESS
	// Failure: a command of the commit failed, or its config is not valid.
	Failure Outcome = C.TINYCI_OUTCOME_FAILURE
	// TimedOut: a time limit was reached.
	TimedOut Outcome = C.TINYCI_OUTCOME_TIMED_OUT
	// Skipped: the pipeline chose not to run. Final, but not green.
	Skipped Outcome = C.TINYCI_OUTCOME_SKIPPED
	// OutcomeError: tinyci could not run the job. The commit has no verdict.
	OutcomeError Outcome = C.TINYCI_OUTCOME_ERROR
	// Canceled: the job was canceled. The commit has no verdict.
	Canceled Outcome = C.TINYCI_OUTCOME_CANCELED
	// DeployAwaitingApproval, deployments only: a person must approve first. Nothing was done.
	DeployAwaitingApproval Outcome = C.TINYCI_OUTCOME_AWAITING_APPROVAL
	// DeployRunning, deployments only: in progress.
	DeployRunning Outcome = C.TINYCI_OUTCOME_RUNNING
	// DeployInterrupted, deployments only: it began, and its end is not recorded. A person must check the
	// environment.
	DeployInterrupted Outcome = C.TINYCI_OUTCOME_INTERRUPTED
	// DeployRetired, in a list of deployments only: nothing is deployed to the environment now.
	DeployRetired Outcome = C.TINYCI_OUTCOME_RETIRED
)

// Passed returns true for Success.
func (o Outcome) Passed() bool { return o == Success }

// String returns the name of the outcome as in JSON: "success", "timed_out", …
func (o Outcome) String() string {
	if name := C.tinyci_outcome_name(C.int32_t(o)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("outcome %d", int32(o))
}

// UnmarshalJSON reads the name of an outcome. A name that the library does not know becomes 0, which is not
// passed.
func (o *Outcome) UnmarshalJSON(text []byte) error {
	var name string
	if err := json.Unmarshal(text, &name); err != nil {
		return err
	}
	*o = 0
	for known := Success; known <= DeployRetired; known++ {
		if known.String() == name {
			*o = known
		}
	}
	return nil
}

// MarshalJSON writes the name of the outcome.
func (o Outcome) MarshalJSON() ([]byte, error) { return json.Marshal(o.String()) }

// A Record is the record of one job.
type Record struct {
	// Commit is the full id of the commit.
	Commit string
	// Tree is the full id of the commit's tree.
	Tree string
	// Branch is the branch that the commit was tested for, in git's own bytes; "" if there is none.
	Branch string
	// Outcome is the outcome of the job.
	Outcome Outcome
	// Passed is true if the commit is green. Use only this field to decide that.
	Passed bool
	// Reason says why, if the steps do not: an invalid config, a broken executor, a cancellation.
	Reason string
	// JobID is the id of the job, as in its events.
	JobID string
	// Machine is the name of the machine.
	Machine string
	// Started is when the job began, Finished when it ended.
	Started, Finished time.Time
	// Duration is how long the job took, on a clock that never goes back.
	Duration time.Duration
	// Steps are the steps that ran or were skipped, in order.
	Steps []StepRecord
	// Remembered is what the script stored for later runs.
	Remembered map[string]any
	// JSON is the complete record, as in refs/notes/runs/tinyci.
	JSON json.RawMessage
}

// A StepRecord is the record of one step.
type StepRecord struct {
	// Name is the name of the step, such as "build" or "after_test".
	Name string
	// Outcome is the outcome of the step.
	Outcome Outcome
	// Error says why the step failed or was skipped, if no command does: a refusal of the program, a
	// placeholder that could not be filled in, an error of a script.
	Error string
	// Duration is how long the step took.
	Duration time.Duration
	// Commands are the commands that the step ran, in order.
	Commands []CommandRecord
}

// A CommandRecord is the record of one command.
type CommandRecord struct {
	// Command is the command as in the config.
	Command string
	// ExitCode is the exit code; -1 if the command did not exit by itself.
	ExitCode int
	// Signal is the number of the signal that ended the command; 0 for none.
	Signal int
	// TimedOut is true if a time limit ended the command, Canceled if a cancellation did.
	TimedOut, Canceled bool
	// Duration is how long the command took.
	Duration time.Duration
}

// UnmarshalJSON reads a record as tinyci writes it. It ignores unknown fields of later versions.
func (r *Record) UnmarshalJSON(text []byte) error {
	var read struct {
		Commit, Tree, Branch, Reason, Machine string
		JobID                                 string `json:"job_id"`
		BranchHex                             string `json:"branch_hex"`
		Outcome                               Outcome
		Started, Finished                     time.Time
		Duration                              int64 `json:"duration_ms"`
		Steps                                 []StepRecord
		Remembered                            map[string]any
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	*r = Record{
		Commit: read.Commit, Tree: read.Tree, Branch: read.Branch,
		Outcome: read.Outcome, Passed: read.Outcome.Passed(), Reason: read.Reason,
		JobID: read.JobID, Machine: read.Machine, Started: read.Started, Finished: read.Finished,
		Duration: time.Duration(read.Duration) * time.Millisecond,
		Steps:    read.Steps, Remembered: read.Remembered,
		JSON: append(json.RawMessage(nil), text...),
	}
	return exact(&r.Branch, read.BranchHex)
}

// UnmarshalJSON reads a step of a record.
func (s *StepRecord) UnmarshalJSON(text []byte) error {
	var mirror struct {
		Name, Error string
		Outcome     Outcome
		Duration    int64 `json:"duration_ms"`
		Commands    []CommandRecord
	}
	err := json.Unmarshal(text, &mirror)
	duration := time.Duration(mirror.Duration) * time.Millisecond
	*s = StepRecord{mirror.Name, mirror.Outcome, mirror.Error, duration, mirror.Commands}
	return err
}

// UnmarshalJSON reads a command of a record.
func (c *CommandRecord) UnmarshalJSON(text []byte) error {
	mirror := struct {
		Command  string
		ExitCode int `json:"exit_code"`
		Signal   int
		TimedOut bool `json:"timed_out"`
		Canceled bool
		Duration int64 `json:"duration_ms"`
	}{ExitCode: -1}
	err := json.Unmarshal(text, &mirror)
	*c = CommandRecord{mirror.Command, mirror.ExitCode, mirror.Signal, mirror.TimedOut, mirror.Canceled,
		time.Duration(mirror.Duration) * time.Millisecond}
	return err
}

// A RecordFilter selects records.
type RecordFilter struct {
	// Selection selects commits by revisions or ranges. Default: all commits reachable from the selected
	// refs.
	Selection Selection
	// Outcome selects records with this outcome; 0 for any.
	Outcome Outcome
	// Limit is the maximum number of records; 0 for no limit.
	Limit int
}

func (f RecordFilter) limit() C.size_t {
	if f.Limit < 0 {
		return 0
	}
	return C.size_t(f.Limit)
}

// with makes the filter's selection for one call. The zero value becomes NULL, which is every commit.
func (f RecordFilter) with(do func(c *C.tinyci_selection) error) error {
	if f.Selection.isPending() {
		return do(nil)
	}
	return f.Selection.with(do)
}

// Records returns the records of earlier runs, newest commit first. For each commit it returns the record
// behind its verdict.
func (e *Engine) Records(filter RecordFilter) (records []Record, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		return filter.with(func(s *C.tinyci_selection) error {
			records, err = recordsFrom(func(out **C.tinyci_records, err **C.tinyci_error) C.tinyci_code {
				return C.tinyci_records_query(c, s, C.int32_t(filter.Outcome), filter.limit(), out, err)
			})
			return err
		})
	})
	return records, err
}

// recordsFrom copies a list of the library.
func recordsFrom(do func(**C.tinyci_records, **C.tinyci_error) C.tinyci_code) (records []Record, err error) {
	var list *C.tinyci_records
	if _, err := call(func(err **C.tinyci_error) C.tinyci_code { return do(&list, err) }); err != nil {
		return nil, err
	}
	defer C.tinyci_records_free(list)
	for {
		var c *C.tinyci_record
		code, err := call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_records_next(list, &c, err)
		})
		if err != nil || code == C.TINYCI_DONE {
			return records, err
		}
		record, err := recordOf(c)
		if err != nil {
			return records, err
		}
		records = append(records, record)
	}
}

// recordOf copies a record. The library decides what passed.
func recordOf(c *C.tinyci_record) (record Record, err error) {
	err = json.Unmarshal([]byte(C.GoString(C.tinyci_record_json(c))), &record)
	record.Outcome = Outcome(C.tinyci_record_outcome(c))
	record.Passed = C.tinyci_record_passed(c) != 0
	return record, err
}
