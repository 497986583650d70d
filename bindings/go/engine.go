package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"runtime"
	"sync"
)

// An Engine is one repository's continuous integration: it finds the commits without a verdict,
// runs them, and keeps what became of them in git notes. Any number of goroutines can use it.
type Engine struct {
	mu   sync.RWMutex
	c    *C.tinyci_engine
	path string
	bare bool
	host *host
}

// Open opens exactly this repository: a bare one, the top of a work tree, or a .git folder.
func Open(path string, options ...Option) (*Engine, error) {
	return open(path, options, func(path *C.char, set *C.tinyci_options, out **C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_engine_open(path, set, out, err)
	})
}

// Discover opens the repository that a directory is in: the nearest one at the directory or above it.
func Discover(dir string, options ...Option) (*Engine, error) {
	return open(dir, options, func(path *C.char, set *C.tinyci_options, out **C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_engine_discover(path, set, out, err)
	})
}

func open(path string, options []Option, do func(*C.char, *C.tinyci_options, **C.tinyci_engine, **C.tinyci_error) C.tinyci_code) (*Engine, error) {
	if err := compatible(); err != nil {
		return nil, err
	}
	s := &settings{c: C.tinyci_options_new(), host: newHost()}
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
	e := &Engine{c: c, path: C.GoString(C.tinyci_engine_path(c)), host: &s.host}
	e.bare = C.tinyci_engine_is_bare(c) != 0
	// Memory and nothing else, so that freeing it waits for nothing.
	runtime.SetFinalizer(e, func(e *Engine) { C.tinyci_engine_free(e.c) })
	return e, nil
}

// Close frees the engine, once the calls of other goroutines have returned. Runs go on. It returns
// nil, and can be called more than once.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	C.tinyci_engine_free(e.c)
	e.c = nil
	return nil
}

// Path is the folder that holds builds/: the bare repository, or the top of the main work tree.
func (e *Engine) Path() string { return e.path }

// with makes a call of an engine that stays open for as long.
func (e *Engine) with(do func(c *C.tinyci_engine) error) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.c == nil {
		return closed("engine")
	}
	return do(e.c)
}

// Run starts a run of the commits that are due. What keeps it from beginning, such as ErrBusy,
// comes out of [Run.Err].
//
// The end of the context ends the running commands, and after_all still runs; [Run.Err] is the
// context's error then.
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

// Follow follows a run of another process or goroutine: what it writes to the log comes as Output,
// until that run ends or the selected commits have a verdict. It runs nothing itself, and has no
// records.
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

// start starts what is pulled as a run.
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
	return newRun(ctx, c, token, e.host)
}

// Export writes a commit's tree to a folder, which must not exist or be empty: what `git archive`
// packs, except that export-ignore leaves nothing out. On an error nothing of it is left behind.
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
