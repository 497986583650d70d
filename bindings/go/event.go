package tinyci

// #include <tinyci.h>
import "C"

import (
	"encoding/json"
	"time"
)

// An Event is one thing that happened in a run: a Planned, JobStarted, Exported, StepStarted, Output,
// StepFinished, JobFinished, DeployStarted, DeployFinished, Finished, Warning or Waiting. A later library
// may also send an Unknown. Events are copies: you may keep them.
type Event interface {
	// Meta returns the fields that every event has.
	Meta() EventMeta
}

// EventMeta has the fields that every event has.
type EventMeta struct {
	// Sequence is the number of the event among the events and requests of its run, from 1.
	Sequence uint64
	// Time is the time of the event.
	Time time.Time
	// Commit is the full id of the event's commit; "" if it has none.
	Commit string
	// JobID is the id of the job, as in its record. It separates the events of concurrent jobs.
	JobID string
	// Step is the event's step, such as "build"; "" if it has none.
	Step string
	// Label is the task of a script's `parallel`, or the group, that the event comes from; "" if none.
	Label string
	// LogLines are the event's lines in the log; each ends with a newline. A terminal that shows these and
	// the Data of every Output shows what `tinyci run` shows.
	LogLines string
}

// Meta returns m.
func (m EventMeta) Meta() EventMeta { return m }

// Planned lists the pending commits in order. The event is repeated if more commits become pending.
type Planned struct {
	EventMeta
	// Jobs are those commits.
	Jobs []Job
}

// JobStarted: a job began.
type JobStarted struct {
	EventMeta
	// Details are git's data about the commit.
	Details Commit
}

// Exported: the commit's files are in the export directory.
type Exported struct {
	EventMeta
	// Dir is the export directory.
	Dir string
}

// StepStarted: a step began.
type StepStarted struct{ EventMeta }

// A Stream is an output stream of a command.
type Stream int32

const (
	// Stdout is standard output, or both streams if they are merged.
	Stdout Stream = C.TINYCI_STREAM_STDOUT
	// Stderr is standard error, if it is separate.
	Stderr Stream = C.TINYCI_STREAM_STDERR
)

// Output: a command wrote.
type Output struct {
	EventMeta
	// Stream is the stream.
	Stream Stream
	// Data are the bytes: whole lines if the command writes lines, at most 64 KiB.
	Data []byte
}

// StepFinished: a step ended.
type StepFinished struct {
	EventMeta
	// Outcome is the outcome of the step.
	Outcome Outcome
}

// JobFinished: a job ended.
type JobFinished struct {
	EventMeta
	// Outcome is the outcome of the job.
	Outcome Outcome
	// Record is the record of the job.
	Record Record
}

// DeployStarted: a deployment began; its record is written.
type DeployStarted struct {
	EventMeta
	// Deployment is the record of the deployment so far.
	Deployment Deployment
}

// DeployFinished: a deployment ended, or awaits approval.
type DeployFinished struct {
	EventMeta
	// Outcome is the outcome of the deployment.
	Outcome Outcome
	// Deployment is the record of the deployment.
	Deployment Deployment
}

// Finished is the last event of a run.
type Finished struct {
	EventMeta
	// Outcome is the worst outcome of the run's commits, or that of its deployment.
	Outcome Outcome
}

// Warning: a problem that does not change a verdict.
type Warning struct {
	EventMeta
	// Message describes the problem.
	Message string
}

// Waiting: the run waits for another process.
type Waiting struct {
	EventMeta
	// Message names the process.
	Message string
}

// Unknown is an event of a later library. [Run.EventJSON] returns its contents.
type Unknown struct {
	EventMeta
	// Kind is the number of the event's kind.
	Kind int
}

func metaOf(c *C.tinyci_event) EventMeta {
	return EventMeta{
		Sequence: uint64(C.tinyci_event_sequence(c)),
		Time:     time.UnixMilli(int64(C.tinyci_event_time_ms(c))),
		Commit:   C.GoString(C.tinyci_event_commit(c)),
		JobID:    C.GoString(C.tinyci_event_job_id(c)),
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

// detailed copies an event whose details are only in its JSON.
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
