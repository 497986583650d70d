package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"sync"
)

// A token passes the end of a context, or a call of Cancel, to the library.
type token struct {
	mu      sync.Mutex
	c       *C.tinyci_cancel
	unwatch chan struct{}
	watched sync.WaitGroup
}

// watch makes a token that is triggered once when the context ends.
func watch(ctx context.Context) *token {
	t := &token{c: C.tinyci_cancel_new(), unwatch: make(chan struct{})}
	if ctx.Done() == nil {
		return t
	}
	t.watched.Add(1)
	go func() {
		defer t.watched.Done()
		select {
		case <-ctx.Done():
			t.raise()
		case <-t.unwatch:
		}
	}()
	return t
}

func (t *token) raise() {
	t.mu.Lock()
	defer t.mu.Unlock()
	C.tinyci_cancel_trigger(t.c)
}

func (t *token) free() {
	close(t.unwatch)
	t.watched.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	C.tinyci_cancel_free(t.c)
	t.c = nil
}

// stoppable makes a call that stops when the context ends.
func stoppable(ctx context.Context, do func(cancel *C.tinyci_cancel) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := watch(ctx)
	defer t.free()
	return because(ctx, do(t.c))
}

// because sets the context's error as the cause of an error that a cancellation led to.
func because(ctx context.Context, err error) error {
	if failed, ok := err.(*Error); ok && failed.Code == ErrCanceled && failed.cause == nil {
		failed.cause = ctx.Err()
	}
	return err
}
