package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"sync"
)

// A Run is a run under way. Its events are pulled with Next, by one goroutine at a time, until there
// are no more; a run that nobody pulls stands still.
//
// One that is not pulled to its end has to be closed: it holds the repository's lock.
type Run struct {
	mu      sync.Mutex
	c       *C.tinyci_run
	ctx     context.Context
	token   *token
	desk    *desk
	current *C.tinyci_event
	event   Event
	outcome Outcome
	records []Record
	// deploys tells whether it is a deployment.
	deploys    bool
	deployment *Deployment
	summary    json.RawMessage
	err        error
}

func newRun(ctx context.Context, c *C.tinyci_run, token *token, host *host) *Run {
	r := &Run{c: c, ctx: ctx, token: token, desk: &desk{host: host, ctx: ctx}}
	// One that was forgotten is stopped. That may take a while, which the collector must not wait.
	runtime.SetFinalizer(r, func(r *Run) { go r.Close() })
	return r
}

// Next waits for the next event, and tells whether there is one. On the way it calls the hooks and
// functions of the program, whose requests are no events.
//
// At the end of the run it returns false, the run is freed, and Err and Records tell about it. If a
// hook panics, its commit gets no verdict, and Next closes the run before the panic goes on.
func (r *Run) Next() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current, r.event = nil, nil
	if r.c == nil {
		return false
	}
	returned := false
	defer func() {
		if !returned {
			r.abandon()
		}
	}()
	more := r.pull()
	returned = true
	return more
}

// pull answers requests until there is an event, or the end.
func (r *Run) pull() bool {
	for {
		var event *C.tinyci_event
		status, err := call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_run_next(r.c, -1, &event, err)
		})
		switch {
		case err != nil || status == C.TINYCI_DONE:
			r.finish(err)
			return false
		case status == C.TINYCI_AGAIN:
			continue
		case C.tinyci_event_kind(event) >= firstRequest:
			r.desk.answer(event)
			continue
		}
		r.event, err = eventOf(event)
		if err != nil {
			r.desk.blame(err)
		}
		if last, ok := r.event.(Finished); ok {
			r.outcome = last.Outcome
		}
		r.current = event
		return true
	}
}

// finish keeps what there is to know of a run that is over, and frees it.
func (r *Run) finish(err error) {
	if err == nil {
		r.records, err = recordsFrom(func(out **C.tinyci_records, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_run_records(r.c, out, err)
		})
	}
	if err == nil && r.deploys {
		r.deployment, err = deploymentOf(r.c)
	} else if err == nil {
		r.summary, err = summaryOf(r.c)
	}
	r.free()
	if r.err = r.desk.fault(); r.err == nil {
		r.err = because(r.ctx, err)
	}
	if r.err == nil && r.outcome == Canceled {
		r.err = r.ctx.Err()
	}
}

// free stops the run if it is not over, and waits for the commands that the program runs.
func (r *Run) free() {
	runtime.SetFinalizer(r, nil)
	C.tinyci_run_free(r.c)
	r.c, r.current = nil, nil
	r.desk.commands.Wait()
	r.token.free()
}

// Event is the event that Next found.
func (r *Run) Event() Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.event
}

// EventJSON is the same as the line of JSON that `tinyci run --json` prints; nil where there is no
// event.
func (r *Run) EventJSON() json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return nil
	}
	return json.RawMessage(C.GoString(C.tinyci_event_json(r.current)))
}

// Outcome is the worst of the run's commits, or what its deployment is worth as one, once it is over;
// 0 before, and where it could not begin.
func (r *Run) Outcome() Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcome
}

// Records are what remains of the commits that were run, in the order in which they were finished,
// once the run is over.
func (r *Run) Records() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records
}

// Summary is what `tinyci run --json` prints last, once the run is over: beside the records the commits
// that were not run, the deployments that followed, and as "fault" why the run had to stop. It is nil
// before, for deployments, and if the run could not begin.
func (r *Run) Summary() json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.summary
}

// Deployment is what became of a deployment, once it is over; nil for other runs, and where it could
// not begin.
func (r *Run) Deployment() *Deployment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.deployment
}

// Err is the first error of a hook or function of the program, which is an ErrHostFault too and says
// whose step had no verdict by it; else why the run could not begin, such as ErrBusy; else the context's error, if its end stopped the run; else nil. A build that fails is no
// error.
func (r *Run) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Cancel stops the run: the first time commands are ended and after_all still runs, the second time
// all is killed. Events go on until the end. Any goroutine can call it, hooks too.
func (r *Run) Cancel() {
	if r.token != nil {
		r.token.raise()
	}
}

// Close kills a run that is not over, without after_all, and waits for its commands to end: for
// their grace time and 5 seconds more at most. Err says so then. It returns nil, and can be called
// more than once and by any goroutine, but not by a hook or function of the run.
func (r *Run) Close() error {
	if r.token == nil {
		return nil
	}
	// A Next of another goroutine has to return first.
	r.token.raise()
	r.token.raise()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.c != nil {
		r.abandon()
	}
	return nil
}

// abandon frees a run that is not over, and says so.
func (r *Run) abandon() {
	r.free()
	const message = "the run was closed before it was over"
	r.err = &Error{Status: ErrCanceled, Message: message, cause: os.ErrClosed}
}
