package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"runtime"
	"sync"
)

// An Engine runs the continuous integration of one repository: it finds the commits without a verdict,
// tests them, and stores the results in git notes. Goroutines can share it.
type Engine struct {
	mu       sync.RWMutex
	c        *C.tinyci_engine
	path     string
	bare     bool
	handlers *handlers
}

// Open opens the repository at exactly this path: a bare one, the top of a working tree, or a .git
// directory.
func Open(path string, options ...Option) (*Engine, error) {
	return open(path, options, func(path *C.char, set *C.tinyci_options, out **C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_engine_open(path, set, out, err)
	})
}

// Discover opens the nearest repository: the one at the directory, or in the nearest directory above it.
func Discover(dir string, options ...Option) (*Engine, error) {
	return open(dir, options, func(path *C.char, set *C.tinyci_options, out **C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_engine_discover(path, set, out, err)
	})
}

func open(path string, options []Option, do func(*C.char, *C.tinyci_options, **C.tinyci_engine, **C.tinyci_error) C.tinyci_code) (*Engine, error) {
	if err := compatible(); err != nil {
		return nil, err
	}
	s := &settings{c: C.tinyci_options_new(), handlers: newHandlers()}
	defer C.tinyci_options_free(s.c)
	for _, option := range options {
		option(s)
	}
	s.set(&texts{}, func(err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_options_set_handlers(s.c, s.answer, err)
	})
	if s.err != nil {
		return nil, s.err
	}
	var t texts
	var c *C.tinyci_engine
	text := t.of("path", path)
	if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
		return do(text, s.c, &c, err)
	}); err != nil {
		return nil, err
	}
	e := &Engine{c: c, path: C.GoString(C.tinyci_engine_path(c)), handlers: &s.handlers}
	e.bare = C.tinyci_engine_is_bare(c) != 0
	// This frees memory only, so the garbage collector does not block.
	runtime.SetFinalizer(e, func(e *Engine) { C.tinyci_engine_free(e.c) })
	return e, nil
}

// Close frees the engine once running calls have returned. Active runs continue. It always returns nil;
// a second call has no effect.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	C.tinyci_engine_free(e.c)
	e.c = nil
	return nil
}

// Path returns the directory that contains builds/: the bare repository, or the top of the main working
// tree.
func (e *Engine) Path() string { return e.path }

// with makes a call and keeps the engine open during it.
func (e *Engine) with(do func(c *C.tinyci_engine) error) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.c == nil {
		return closed("engine")
	}
	return do(e.c)
}

// Run starts a run of the pending commits. If it cannot start, [Run.Err] returns the error, such as
// ErrBusy.
//
// If the context ends, tinyci ends the running commands and still runs after_all. [Run.Err] then returns
// the context's error.
func (e *Engine) Run(ctx context.Context, selection Selection) *Run {
	return e.start(ctx, func(c *C.tinyci_engine, cancel *C.tinyci_cancel, out **C.tinyci_run) error {
		return selection.with(func(s *C.tinyci_selection) error {
			_, err := call(func(err **C.tinyci_error) C.tinyci_code {
				return C.tinyci_run_start(c, s, cancel, out, err)
			})
			return err
		})
	})
}

// Follow follows a run of another process or goroutine: it returns that run's log as Output until the run
// ends or the selected commits have a verdict. It runs no commands and has no records.
func (e *Engine) Follow(ctx context.Context, selection Selection) *Run {
	return e.start(ctx, func(c *C.tinyci_engine, cancel *C.tinyci_cancel, out **C.tinyci_run) error {
		return selection.with(func(s *C.tinyci_selection) error {
			_, err := call(func(err **C.tinyci_error) C.tinyci_code {
				return C.tinyci_follow_start(c, s, cancel, out, err)
			})
			return err
		})
	})
}

// start starts anything whose events are pulled.
func (e *Engine) start(ctx context.Context, do func(*C.tinyci_engine, *C.tinyci_cancel, **C.tinyci_run) error) *Run {
	if err := ctx.Err(); err != nil {
		return &Run{err: err}
	}
	token := watch(ctx)
	var c *C.tinyci_run
	if err := e.with(func(engine *C.tinyci_engine) error { return do(engine, token.c, &c) }); err != nil {
		token.free()
		return &Run{err: because(ctx, err)}
	}
	return newRun(ctx, c, token, e.handlers)
}

// Export writes the files of a commit to a directory, which must be empty or not exist. The result is the
// same as with `git archive`, except that export-ignore has no effect. On an error, nothing is left.
func (e *Engine) Export(ctx context.Context, revision, dir string) error {
	return e.with(func(c *C.tinyci_engine) error {
		return stoppable(ctx, func(cancel *C.tinyci_cancel) error {
			var t texts
			rev, path := t.of("revision", revision), t.of("path", dir)
			_, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
				return C.tinyci_export_commit(c, rev, path, cancel, err)
			})
			return err
		})
	})
}
