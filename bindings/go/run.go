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

// A Run is an active run, deployment or log. Call Next until it returns false, from one goroutine at a
// time. If the event buffer is full, the run blocks until the next call.
//
// Close a run that you do not pull to its end: it holds the repository's run lock.
type Run struct {
	mu         sync.Mutex
	c          *C.tinyci_run
	ctx        context.Context
	token      *token
	dispatcher *dispatcher
	current    *C.tinyci_event
	event      Event
	outcome    Outcome
	records    []Record
	// deploys is true for a deployment.
	deploys    bool
	deployment *Deployment
	summary    json.RawMessage
	err        error
}

func newRun(ctx context.Context, c *C.tinyci_run, token *token, h *handlers) *Run {
	r := &Run{c: c, ctx: ctx, token: token, dispatcher: &dispatcher{handlers: h, ctx: ctx}}
	// Stops a run that the program forgot. It can take a while, so the garbage collector must not wait.
	runtime.SetFinalizer(r, func(r *Run) { go r.Close() })
	return r
}

// Next waits for the next event and returns false if there is none. It answers requests on the way, by
// calling the program's callbacks.
//
// At the end of the run, Next frees it and returns false; Err and Records then have the results. If a
// callback panics, its commit gets no verdict, and Next closes the run before it passes the panic on.
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

// pull answers requests until there is an event or the run ends.
func (r *Run) pull() bool {
	for {
		var event *C.tinyci_event
		code, err := call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_run_next(r.c, -1, &event, err)
		})
		switch {
		case err != nil || code == C.TINYCI_DONE:
			r.finish(err)
			return false
		case code == C.TINYCI_AGAIN:
			continue
		case C.tinyci_event_kind(event) >= firstRequest:
			r.dispatcher.answer(event)
			continue
		}
		r.event, err = eventOf(event)
		if err != nil {
			r.dispatcher.blame(err)
		}
		if last, ok := r.event.(Finished); ok {
			r.outcome = last.Outcome
		}
		r.current = event
		return true
	}
}

// finish copies the results of a run that has ended, and frees it.
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
	if r.err = r.dispatcher.fault(); r.err == nil {
		r.err = because(r.ctx, err)
	}
	if r.err == nil && r.outcome == Canceled {
		r.err = r.ctx.Err()
	}
}

// free stops the run if it is active, and waits for the commands that the program runs.
func (r *Run) free() {
	runtime.SetFinalizer(r, nil)
	C.tinyci_run_free(r.c)
	r.c, r.current = nil, nil
	r.dispatcher.commands.Wait()
	r.token.free()
}

// Event returns the event that Next found.
func (r *Run) Event() Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.event
}

// EventJSON returns the event as the line of JSON that `tinyci run --json` prints, or nil without an event.
func (r *Run) EventJSON() json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return nil
	}
	return json.RawMessage(C.GoString(C.tinyci_event_json(r.current)))
}

// Outcome returns the worst outcome of the run's commits, or that of its deployment, after the end of the
// run. It returns 0 before the end, and if the run could not start.
func (r *Run) Outcome() Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcome
}

// Records returns the records of the tested commits after the end of the run, in the order in which the
// jobs ended.
func (r *Run) Records() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records
}

// Summary returns the last line of `tinyci run --json` after the end of the run. Besides the records, it has
// the commits that were not tested, the deployments that followed, and "error" if the run had to stop
// early. It returns nil before the end, for deployments, and if the run could not start.
func (r *Run) Summary() json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.summary
}

// Deployment returns the record of a deployment after its end. It returns nil for other runs, and if the
// deployment could not start.
func (r *Run) Deployment() *Deployment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.deployment
}

// Err returns the first error that stopped something, or nil: an error of a callback (also an ErrHostFault
// that names the step), else the reason why the run could not start, such as ErrBusy, else the context's
// error if its end stopped the run. A failed build is not an error.
func (r *Run) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Cancel stops the run. The first call ends the commands and still runs after_all; the second kills
// everything. Events continue until the end. Any goroutine may call it, callbacks included.
func (r *Run) Cancel() {
	if r.token != nil {
		r.token.raise()
	}
}

// Close kills an active run without after_all and waits until its commands have ended, at most their grace
// period plus 5 seconds. Err then says that the run was closed. Close always returns nil; a second call has
// no effect. Any goroutine may call it, but not a callback of the run.
func (r *Run) Close() error {
	if r.token == nil {
		return nil
	}
	// A Next of another goroutine must return first.
	r.token.raise()
	r.token.raise()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.c != nil {
		r.abandon()
	}
	return nil
}

// abandon frees an active run and sets the error that says so.
func (r *Run) abandon() {
	r.free()
	const message = "the run was closed before it ended"
	r.err = &Error{Code: ErrCanceled, Message: message, cause: os.ErrClosed}
}
