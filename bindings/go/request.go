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

// firstRequest is the smallest kind of event that is a request.
const firstRequest = 32

// A Refusal is the error with which a callback says no: it fails the step, and a script can catch it. Any
// other error is a fault of the program: no script catches it, the commit gets no verdict, and [Run.Err]
// returns it.
type Refusal struct {
	// Message says why, for the record.
	Message string
	// Code is a number of your choice, which the record shows after the message; 0 for none.
	Code int32
}

// Refuse returns a Refusal without a code.
func Refuse(format string, values ...any) error {
	return &Refusal{Message: fmt.Sprintf(format, values...)}
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// A Request has the fields that every call of a callback has.
type Request struct {
	// Name is the name of the hook, function, secret or environment, or the command.
	Name string
	// Commit is the full id of the commit that is being tested or deployed.
	Commit string
	// JobID is the id of the job, as in its events and its record.
	JobID string
	// Step is the step that the request comes from.
	Step string
	// Label is the task of a script's `parallel`, or the group, that the request comes from; "" if none.
	Label string
	// ExportDir is the directory with the commit's files.
	ExportDir string

	pending *pendingRequest
}

// Context returns a context that ends when the answer is no longer needed: the run was canceled or closed,
// the time limit of the step was reached, or the request was answered. It has the values of the run's
// context. The end of the run's context alone does not end it, because after_all still runs.
func (r *Request) Context() context.Context { return r.pending.context() }

func requestOf(c *C.tinyci_request, ctx context.Context) Request {
	return Request{
		Name:      C.GoString(C.tinyci_request_name(c)),
		Commit:    C.GoString(C.tinyci_request_commit(c)),
		JobID:     C.GoString(C.tinyci_request_job_id(c)),
		Step:      C.GoString(C.tinyci_request_step(c)),
		Label:     C.GoString(C.tinyci_request_label(c)),
		ExportDir: C.GoString(C.tinyci_request_export_dir(c)),
		pending:   &pendingRequest{c: c, run: ctx},
	}
}

// pendingRequest is a request of the library until it is answered.
type pendingRequest struct {
	mu    sync.Mutex
	c     *C.tinyci_request
	run   context.Context
	ctx   context.Context
	ended context.CancelFunc
}

// use makes a call with a request that stays pending.
func (p *pendingRequest) use(t *texts, do func(*C.tinyci_request, **C.tinyci_error) C.tinyci_code) (C.tinyci_code, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.c == nil {
		t.free()
		return C.TINYCI_INVALID_ARG, closed("request")
	}
	return t.call(func(err **C.tinyci_error) C.tinyci_code { return do(p.c, err) })
}

// answer answers the request, unless a string cannot be passed to C. If the answer is no longer needed, that
// is not an error: the run itself reports its end.
func (p *pendingRequest) answer(t *texts, do func(*C.tinyci_request, **C.tinyci_error) C.tinyci_code) error {
	if t.err != nil {
		t.free()
		return t.err
	}
	defer p.leave()
	_, err := p.use(t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		p.c = nil
		return do(c, err)
	})
	if errors.Is(err, ErrCanceled) {
		return nil
	}
	return err
}

// leave frees a request that has no answer, which fails its step. After an answer it has no effect.
func (p *pendingRequest) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	C.tinyci_request_free(p.c)
	p.c = nil
	if p.ended != nil {
		p.ended()
	}
}

func (p *pendingRequest) isCanceled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.c == nil || C.tinyci_request_canceled(p.c) != 0
}

func (p *pendingRequest) context() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		p.ctx, p.ended = context.WithCancel(valuesOf{p.run})
		go p.watch(p.ctx, p.ended)
	}
	return p.ctx
}

// watch ends the context once the answer is no longer needed. The library has no callbacks, so watch polls.
func (p *pendingRequest) watch(ctx context.Context, ended context.CancelFunc) {
	defer ended()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !p.isCanceled() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// valuesOf is a context reduced to its values.
type valuesOf struct{ context.Context }

func (valuesOf) Deadline() (time.Time, bool) { return time.Time{}, false }
func (valuesOf) Done() <-chan struct{}       { return nil }
func (valuesOf) Err() error                  { return nil }

// A dispatcher answers the requests of one run.
type dispatcher struct {
	handlers *handlers
	ctx      context.Context
	commands sync.WaitGroup
	mu       sync.Mutex
	err      error
}

// A handlers has the callbacks that the program registered.
type handlers struct {
	hooks     map[string][]func(*Hook) error
	functions map[string]func(*Call) (any, error)
	secret    func(*Secret) ([]byte, error)
	approval  func(*ApprovalRequest) (string, error)
	command   func(*Command) (Exit, error)
}

func newHandlers() handlers {
	return handlers{hooks: map[string][]func(*Hook) error{}, functions: map[string]func(*Call) (any, error){}}
}

// answer answers a request, or starts a goroutine that does. A request of an unknown kind is freed, which
// fails its step.
func (d *dispatcher) answer(event *C.tinyci_event) {
	c := C.tinyci_event_take_request(event)
	if c == nil {
		return
	}
	request := requestOf(c, d.ctx)
	kind := C.tinyci_event_kind(event)
	if kind == C.TINYCI_EVENT_COMMAND && d.handlers.command != nil {
		d.commands.Add(1)
		go d.runCommand(request)
		return
	}
	returned := false
	defer func() {
		if !returned {
			// A panic is passing through Next, which closes the run. Without an answer it would be a failure.
			request.abort("the program panicked")
		}
		request.pending.leave()
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

// abort answers that the program failed.
func (r *Request) abort(why string) {
	var t texts
	text := t.raw(printable(why))
	// If the request was answered or is no longer needed, there is nothing to report.
	_ = r.pending.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_request_abort(c, text, 0, err)
	})
}

// settle answers the request, with the error if there is one.
func (d *dispatcher) settle(request Request, err error, answer func() error) {
	if err == nil {
		err = answer()
	}
	if err == nil {
		return
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		message := fmt.Sprintf("%s in %s of commit %.10s: %v", request.Name, request.Step, request.Commit, err)
		d.blame(&Error{Code: ErrHostFault, Message: message, cause: err})
		request.abort(err.Error())
		return
	}
	var t texts
	text := t.raw(printable(err.Error()))
	_ = request.pending.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_request_fail(c, text, C.int32_t(refusal.Code), err)
	})
}

// blame stores the first fault of the program.
func (d *dispatcher) blame(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
}

func (d *dispatcher) fault() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
