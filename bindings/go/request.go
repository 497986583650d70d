package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// firstRequest is the kind from which on events are requests.
const firstRequest = 32

// A Refusal is an error with which a hook, function, secret, approval or command says no. The step
// fails, or a script catches it. Every other error is a fault of the program and says nothing about
// the commit: no script catches it, the commit gets no verdict, and it comes out of [Run.Err].
type Refusal struct {
	// Message says why, for the record.
	Message string
	// Code is a number of the program's own, which stands in the record behind the message; 0 for
	// none.
	Code int32
}

// Refuse makes a Refusal without a code.
func Refuse(format string, values ...any) error {
	return &Refusal{Message: fmt.Sprintf(format, values...)}
}

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// A Request is what hooks, functions, secrets, approvals and commands are told.
type Request struct {
	// Name is the hook's, the function's, the secret's, the environment's that is to be approved of, or
	// the command's text.
	Name string
	// Commit is the full id of the commit in work.
	Commit string
	// Job is the attempt that asks: what its events and its record have.
	Job string
	// Step is the phase or hook that asks.
	Step string
	// Label is the branch of a script's `parallel`, or its group, that asks; "" where there is none.
	Label string
	// ExportDir is the folder that holds the commit's tree.
	ExportDir string

	asked *asked
}

// Context ends when nobody waits for the answer any more: the run was canceled or closed, the time
// of the step is over, or the answer was given. It has the values of the run's context; but the end
// of that one alone does not end it, as after_all still runs.
func (r *Request) Context() context.Context { return r.asked.context() }

func requestOf(c *C.tinyci_request, ctx context.Context) Request {
	return Request{
		Name:      C.GoString(C.tinyci_request_name(c)),
		Commit:    C.GoString(C.tinyci_request_commit(c)),
		Job:       C.GoString(C.tinyci_request_job_id(c)),
		Step:      C.GoString(C.tinyci_request_step(c)),
		Label:     C.GoString(C.tinyci_request_label(c)),
		ExportDir: C.GoString(C.tinyci_request_export_dir(c)),
		asked:     &asked{c: c, run: ctx},
	}
}

// asked is the request itself, until it was answered.
type asked struct {
	mu    sync.Mutex
	c     *C.tinyci_request
	run   context.Context
	ctx   context.Context
	ended context.CancelFunc
}

// use makes a call of a request that goes on to be ours.
func (a *asked) use(t *texts, do func(*C.tinyci_request, **C.tinyci_error) C.tinyci_code) (C.tinyci_code, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.c == nil {
		t.free()
		return C.TINYCI_INVALID_ARG, closed("request")
	}
	return t.call(func(err **C.tinyci_error) C.tinyci_code { return do(a.c, err) })
}

// answer gives the request away, unless a text cannot be passed on. An answer that nobody waits for any
// more is no error: the run itself says how it ended.
func (a *asked) answer(t *texts, do func(*C.tinyci_request, **C.tinyci_error) C.tinyci_code) error {
	if t.err != nil {
		t.free()
		return t.err
	}
	defer a.leave()
	_, err := a.use(t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		a.c = nil
		return do(c, err)
	})
	if errors.Is(err, ErrCanceled) {
		return nil
	}
	return err
}

// leave frees a request without an answer, which fails its step; or does nothing after one.
func (a *asked) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	C.tinyci_request_free(a.c)
	a.c = nil
	if a.ended != nil {
		a.ended()
	}
}

func (a *asked) isCanceled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.c == nil || C.tinyci_request_canceled(a.c) != 0
}

func (a *asked) context() context.Context {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx == nil {
		a.ctx, a.ended = context.WithCancel(valuesOf{a.run})
		go a.watch(a.ctx, a.ended)
	}
	return a.ctx
}

// watch ends the context once nobody waits. The library calls nobody, so it has to be asked.
func (a *asked) watch(ctx context.Context, ended context.CancelFunc) {
	defer ended()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !a.isCanceled() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// valuesOf is a context of which only the values are left.
type valuesOf struct{ context.Context }

func (valuesOf) Deadline() (time.Time, bool) { return time.Time{}, false }
func (valuesOf) Done() <-chan struct{}       { return nil }
func (valuesOf) Err() error                  { return nil }

// A desk is where the requests of one run are answered.
type desk struct {
	host     *host
	ctx      context.Context
	commands sync.WaitGroup
	mu       sync.Mutex
	err      error
}

// A host is what a program answers with.
type host struct {
	hooks     map[string][]func(*Hook) error
	functions map[string]func(*Call) (any, error)
	secret    func(*Secret) ([]byte, error)
	approval  func(*ApprovalRequest) (string, error)
	command   func(*Command) (Exit, error)
}

func newHost() host {
	return host{hooks: map[string][]func(*Hook) error{}, functions: map[string]func(*Call) (any, error){}}
}

// answer answers a request, or has a goroutine answer it later. One of a kind that is not known here
// is left to fail.
func (d *desk) answer(event *C.tinyci_event) {
	c := C.tinyci_event_take_request(event)
	if c == nil {
		return
	}
	request := requestOf(c, d.ctx)
	kind := C.tinyci_event_kind(event)
	if kind == C.TINYCI_EVENT_COMMAND && d.host.command != nil {
		d.commands.Add(1)
		go d.runCommand(request)
		return
	}
	returned := false
	defer func() {
		if !returned {
			// It is on its way through Next, which closes the run. Unanswered it would be a failure.
			request.abort("the program panicked")
		}
		request.asked.leave()
	}()
	switch kind {
	case C.TINYCI_EVENT_HOOK:
		d.callHook(&Hook{Request: request, Outcome: Outcome(C.tinyci_event_outcome(event))})
	case C.TINYCI_EVENT_FUNCTION:
		d.callFunction(callOf(request))
	case C.TINYCI_EVENT_SECRET:
		d.callSecret(&Secret{request})
	case C.TINYCI_EVENT_APPROVAL:
		d.callApproval(&ApprovalRequest{request, C.GoString(C.tinyci_request_question(c))})
	}
	returned = true
}

// abort answers that the program itself failed.
func (r *Request) abort(why string) {
	var t texts
	text := t.raw(printable(why))
	// If it was answered, or nobody waits any more, there is nothing left to say.
	_ = r.asked.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_request_abort(c, text, 0, err)
	})
}

// settle answers, or says why not.
func (d *desk) settle(request Request, err error, answer func() error) {
	if err == nil {
		err = answer()
	}
	if err == nil {
		return
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		message := fmt.Sprintf("%s in %s of commit %.10s: %v", request.Name, request.Step, request.Commit, err)
		d.blame(&Error{Status: ErrHostFault, Message: message, cause: err})
		request.abort(err.Error())
		return
	}
	var t texts
	text := t.raw(printable(err.Error()))
	_ = request.asked.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_request_fail(c, text, C.int32_t(refusal.Code), err)
	})
}

// blame remembers the first fault of the program.
func (d *desk) blame(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
}

func (d *desk) fault() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
