package tinyci

// #include <tinyci.h>
import "C"

import (
	"encoding/json"
	"time"
)

// An Event is one thing that happened in a run: a Planned, JobStarted, Exported, StepStarted,
// Output, StepFinished, JobFinished, DeployStarted, DeployFinished, Finished, Warning or Waiting, or an
// Unknown of a later library. It is the caller's to keep.
type Event interface {
	// Meta is what every event has.
	Meta() EventMeta
}

// EventMeta is what every event has.
type EventMeta struct {
	// Sequence is its place among the events and requests of its run, from 1.
	Sequence uint64
	// Time is when it happened.
	Time time.Time
	// Commit is the full id of the commit that it is about; "" where it is about none.
	Commit string
	// Job is the attempt at that commit: what its record calls Job. Where several jobs work at once
	// it tells their events apart.
	Job string
	// Step is the phase or hook that it belongs to, such as "build".
	Step string
	// Label is the branch of a script's `parallel`, or its group, that it comes from.
	Label string
	// LogLines is what the log has for it: lines that all end with a newline. A terminal that shows
	// these and the Data of every Output shows what `tinyci run` shows.
	LogLines string
}

// Meta is the same.
func (m EventMeta) Meta() EventMeta { return m }

// Planned: it is known which commits are due, and in which order. It comes again when more became
// due.
type Planned struct {
	EventMeta
	// Jobs are those commits.
	Jobs []Job
}

// JobStarted: a commit is being worked on.
type JobStarted struct {
	EventMeta
	// Details are what git knows of it.
	Details Commit
}

// Exported: its tree stands in the export folder.
type Exported struct {
	EventMeta
	// Dir is that folder.
	Dir string
}

// StepStarted: a phase or hook begins.
type StepStarted struct{ EventMeta }

// A Stream is where a command wrote to.
type Stream int32

const (
	// Stdout is standard output, or both streams where they are merged.
	Stdout Stream = C.TINYCI_STREAM_STDOUT
	// Stderr is standard error, where it is kept apart.
	Stderr Stream = C.TINYCI_STREAM_STDERR
)

// Output: a command wrote.
type Output struct {
	EventMeta
	// Stream is where to.
	Stream Stream
	// Data are the bytes: whole lines where it writes lines, at most 64 KiB.
	Data []byte
}

// StepFinished: a phase or hook ended.
type StepFinished struct {
	EventMeta
	// Outcome is how.
	Outcome Outcome
}

// JobFinished: a commit's attempt is over.
type JobFinished struct {
	EventMeta
	// Outcome is how.
	Outcome Outcome
	// Record is what remains of it.
	Record Record
}

// DeployStarted: a deployment begins, and is on record.
type DeployStarted struct {
	EventMeta
	// Deployment is which.
	Deployment Deployment
}

// DeployFinished: a deployment is over, or waits for a person.
type DeployFinished struct {
	EventMeta
	// Outcome is how.
	Outcome Outcome
	// Deployment is what remains of it.
	Deployment Deployment
}

// Finished is the last event of a run.
type Finished struct {
	EventMeta
	// Outcome is the worst of its commits, or what its deployment is worth as one.
	Outcome Outcome
}

// Warning: something that changes no verdict and should be seen.
type Warning struct {
	EventMeta
	// Message says what.
	Message string
}

// Waiting: the run waits for another process.
type Waiting struct {
	EventMeta
	// Message says for which.
	Message string
}

// Unknown is an event that only a later library knows. [Run.EventJSON] has what it says.
type Unknown struct {
	EventMeta
	// Kind is its number.
	Kind int
}

func metaOf(c *C.tinyci_event) EventMeta {
	return EventMeta{
		Sequence: uint64(C.tinyci_event_sequence(c)),
		Time:     time.UnixMilli(int64(C.tinyci_event_time_ms(c))),
		Commit:   C.GoString(C.tinyci_event_commit(c)),
		Job:      C.GoString(C.tinyci_event_job_id(c)),
		Step:     C.GoString(C.tinyci_event_step(c)),
		Label:    C.GoString(C.tinyci_event_label(c)),
		LogLines: C.GoString(C.tinyci_event_log_lines(c)),
	}
}

// eventOf copies an event.
func eventOf(c *C.tinyci_event) (Event, error) {
	meta, outcome := metaOf(c), Outcome(C.tinyci_event_outcome(c))
	switch kind := C.tinyci_event_kind(c); kind {
	case C.TINYCI_EVENT_PLANNED, C.TINYCI_EVENT_JOB_STARTED, C.TINYCI_EVENT_EXPORTED,
		C.TINYCI_EVENT_DEPLOY_STARTED, C.TINYCI_EVENT_DEPLOY_FINISHED:
		return detailed(c, meta)
	case C.TINYCI_EVENT_STEP_STARTED:
		return StepStarted{meta}, nil
	case C.TINYCI_EVENT_OUTPUT:
		return Output{meta, Stream(C.tinyci_event_stream(c)), dataOf(c)}, nil
	case C.TINYCI_EVENT_STEP_FINISHED:
		return StepFinished{meta, outcome}, nil
	case C.TINYCI_EVENT_JOB_FINISHED:
		record, err := recordOf(C.tinyci_event_record(c))
		return JobFinished{meta, outcome, record}, err
	case C.TINYCI_EVENT_FINISHED:
		return Finished{meta, outcome}, nil
	case C.TINYCI_EVENT_WARNING:
		return Warning{meta, string(dataOf(c))}, nil
	case C.TINYCI_EVENT_WAITING:
		return Waiting{meta, string(dataOf(c))}, nil
	default:
		return Unknown{meta, int(kind)}, nil
	}
}

// detailed copies an event of which only the JSON says everything.
func detailed(c *C.tinyci_event, meta EventMeta) (Event, error) {
	var body struct {
		Jobs       []Job
		Details    Commit
		Dir        string
		Deployment Deployment
	}
	err := json.Unmarshal([]byte(C.GoString(C.tinyci_event_json(c))), &body)
	switch C.tinyci_event_kind(c) {
	case C.TINYCI_EVENT_PLANNED:
		return Planned{meta, body.Jobs}, err
	case C.TINYCI_EVENT_JOB_STARTED:
		return JobStarted{meta, body.Details}, err
	case C.TINYCI_EVENT_DEPLOY_STARTED:
		return DeployStarted{meta, body.Deployment}, err
	case C.TINYCI_EVENT_DEPLOY_FINISHED:
		return DeployFinished{meta, Outcome(C.tinyci_event_outcome(c)), body.Deployment}, err
	default:
		return Exported{meta, body.Dir}, err
	}
}

func dataOf(c *C.tinyci_event) []byte {
	var length C.size_t
	data := C.tinyci_event_data(c, &length)
	return bytesOf(data, length)
}
