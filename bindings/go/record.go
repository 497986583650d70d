package tinyci

// #include <tinyci.h>
import "C"

import (
	"encoding/json"
	"fmt"
	"time"
)

// An Outcome is what became of a commit, a step or a deployment. Only Success is green; one that this package
// does not know has not passed.
type Outcome int32

const (
	// Success: everything that had to pass did.
	Success Outcome = C.TINYCI_OUTCOME_SUCCESS
	// Failure: a command of the commit failed, or its config is not valid.
	Failure Outcome = C.TINYCI_OUTCOME_FAILURE
	// TimedOut: a time limit passed.
	TimedOut Outcome = C.TINYCI_OUTCOME_TIMED_OUT
	// Skipped: the pipeline said that there is nothing to do. Settled, but never green.
	Skipped Outcome = C.TINYCI_OUTCOME_SKIPPED
	// NoVerdict: the machinery failed, not the commit. Nothing is settled.
	NoVerdict Outcome = C.TINYCI_OUTCOME_ERROR
	// Canceled: somebody canceled the run. Nothing is settled.
	Canceled Outcome = C.TINYCI_OUTCOME_CANCELED
	// DeployWaiting, of a deployment only: it did nothing, because a person has to approve first.
	DeployWaiting Outcome = C.TINYCI_OUTCOME_AWAITING_APPROVAL
	// DeployRunning, of a deployment only: it is under way.
	DeployRunning Outcome = C.TINYCI_OUTCOME_RUNNING
	// DeployInterrupted, of a deployment only: it began, and nobody saw it end. What runs there has
	// to be looked at.
	DeployInterrupted Outcome = C.TINYCI_OUTCOME_INTERRUPTED
	// DeployRetired, in a history of deployments only: nothing runs in the environment any more.
	DeployRetired Outcome = C.TINYCI_OUTCOME_RETIRED
)

// Passed tells whether it is green.
func (o Outcome) Passed() bool { return o == Success }

// String is the outcome's name, as JSON has it: "success", "timed_out", …
func (o Outcome) String() string {
	if name := C.tinyci_outcome_name(C.int32_t(o)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("outcome %d", int32(o))
}

// UnmarshalJSON reads an outcome's name. One that the library does not know becomes 0, which has
// not passed.
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

// MarshalJSON writes the outcome's name.
func (o Outcome) MarshalJSON() ([]byte, error) { return json.Marshal(o.String()) }

// A Record is what remains of one attempt at one commit.
type Record struct {
	// Commit is the full id.
	Commit string
	// Tree is the full id of its tree.
	Tree string
	// Branch that the commit was judged for, in git's own bytes; "" where there is none.
	Branch string
	// Outcome is what became of it.
	Outcome Outcome
	// Passed tells whether the commit is green: the one test for it.
	Passed bool
	// Reason says why, where the steps do not: an invalid config, a broken executor, a cancel.
	Reason string
	// Job is the name of the attempt, which its events have too.
	Job string
	// Host is the name of the machine.
	Host string
	// Started is when the attempt began, Finished when it ended.
	Started, Finished time.Time
	// Duration is how long it took, on a clock that is never set back.
	Duration time.Duration
	// Steps are the phases and hooks that ran or were skipped, in their order.
	Steps []StepRecord
	// Remembered is what the script kept for later runs.
	Remembered map[string]any
	// JSON is all of it, as the line that refs/notes/runs/tinyci keeps.
	JSON json.RawMessage
}

// A StepRecord is what remains of a phase or hook.
type StepRecord struct {
	// Name is "build", "after_test" and so on.
	Name string
	// Outcome is what became of it.
	Outcome Outcome
	// Error says why it failed or was skipped, where no command does: the program's refusal, a tag
	// that could not be filled in, the error of a script.
	Error string
	// Duration is how long it took.
	Duration time.Duration
	// Commands are what it ran, in their order.
	Commands []CommandRecord
}

// A CommandRecord is what remains of a command.
type CommandRecord struct {
	// Command is its text.
	Command string
	// ExitCode is what it exited with; -1 where it did not exit by itself.
	ExitCode int
	// Signal that ended it; 0 for none.
	Signal int
	// TimedOut and Canceled tell whether a limit or a cancel ended it.
	TimedOut, Canceled bool
	// Duration is how long it took.
	Duration time.Duration
}

// UnmarshalJSON reads a record as tinyci writes it, also a later one, as far as it is known here.
func (r *Record) UnmarshalJSON(text []byte) error {
	var mirror struct {
		Commit, Tree, Branch, Reason, Run, Host string
		BranchHex                               string `json:"branch_hex"`
		Outcome                                 Outcome
		Started, Finished                       time.Time
		Duration                                int64 `json:"duration_ms"`
		Steps                                   []StepRecord
		Remembered                              map[string]any
	}
	if err := json.Unmarshal(text, &mirror); err != nil {
		return err
	}
	*r = Record{
		Commit: mirror.Commit, Tree: mirror.Tree, Branch: mirror.Branch,
		Outcome: mirror.Outcome, Passed: mirror.Outcome.Passed(), Reason: mirror.Reason,
		Job: mirror.Run, Host: mirror.Host, Started: mirror.Started, Finished: mirror.Finished,
		Duration: time.Duration(mirror.Duration) * time.Millisecond,
		Steps:    mirror.Steps, Remembered: mirror.Remembered,
		JSON: append(json.RawMessage(nil), text...),
	}
	return exact(&r.Branch, mirror.BranchHex)
}

// UnmarshalJSON reads a step as it stands in a record.
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

// UnmarshalJSON reads a command as it stands in a record.
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

// A Filter says which records to look for.
type Filter struct {
	// Selection is of revisions or ranges; the zero value is every commit that the selected refs
	// reach.
	Selection Selection
	// Outcome is the only one looked for; 0 for all.
	Outcome Outcome
	// Limit is how many records at most; 0 for all.
	Limit int
}

func (f Filter) limit() C.size_t {
	if f.Limit < 0 {
		return 0
	}
	return C.size_t(f.Limit)
}

// with makes the filter's selection for one call: NULL, which is every commit, for the zero value.
func (f Filter) with(do func(c *C.tinyci_selection) error) error {
	if f.Selection.isPending() {
		return do(nil)
	}
	return f.Selection.with(do)
}

// Records asks for what is kept of earlier runs: of each commit the record that its verdict rests
// on, the newest commit first.
func (e *Engine) Records(filter Filter) (records []Record, err error) {
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

// recordsFrom copies a list that the library makes.
func recordsFrom(do func(**C.tinyci_records, **C.tinyci_error) C.tinyci_code) (records []Record, err error) {
	var list *C.tinyci_records
	if _, err := call(func(err **C.tinyci_error) C.tinyci_code { return do(&list, err) }); err != nil {
		return nil, err
	}
	defer C.tinyci_records_free(list)
	for {
		var c *C.tinyci_record
		status, err := call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_records_next(list, &c, err)
		})
		if err != nil || status == C.TINYCI_DONE {
			return records, err
		}
		record, err := recordOf(c)
		if err != nil {
			return records, err
		}
		records = append(records, record)
	}
}

// recordOf copies a record. The library has the last word on what passed.
func recordOf(c *C.tinyci_record) (record Record, err error) {
	err = json.Unmarshal([]byte(C.GoString(C.tinyci_record_json(c))), &record)
	record.Outcome = Outcome(C.tinyci_record_outcome(c))
	record.Passed = C.tinyci_record_passed(c) != 0
	return record, err
}
