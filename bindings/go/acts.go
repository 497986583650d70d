package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"strings"
)

// Installation says how the git hook is installed.
type Installation struct {
	// Command is what the hook runs: a name to be found in PATH on the server, or an absolute path.
	// "" is "tinyci".
	Command string
	// HideRefs has pushes to the refs that hold verdicts refused.
	HideRefs bool
	// SharedHooks installs even into a folder that other repositories use too (core.hooksPath).
	SharedHooks bool
}

// Install installs the git hook that runs what is pushed, beside hooks that are there. It returns
// lines that a person should see: what the hook needs, what it leaves out.
func (e *Engine) Install(installation Installation) (notes []string, err error) {
	var flags C.uint32_t
	if installation.HideRefs {
		flags |= C.TINYCI_INSTALL_HIDE_REFS
	}
	if installation.SharedHooks {
		flags |= C.TINYCI_INSTALL_SHARED_HOOKS
	}
	var t texts
	command := t.optional("command", installation.Command)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_status {
		return C.tinyci_install(c, command, flags, out, err)
	})
	return lines(text), err
}

// Uninstall takes the hook out again, and leaves every other byte as it is. It returns lines that a
// person should see.
func (e *Engine) Uninstall() (notes []string, err error) {
	text, err := e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_status {
		return C.tinyci_uninstall(c, out, err)
	})
	return lines(text), err
}

// Compact packs old builds into .tar.gz files, never one that a run is working on, and leaves the
// newest as they are. To leave are also the builds that are named: by their names, paths of or in
// builds, links to them, or commits' ids. It returns the paths of the new archives.
func (e *Engine) Compact(ctx context.Context, newest int, leave ...string) (archives []string, err error) {
	if newest < 0 {
		newest = 0
	}
	err = stoppable(ctx, func(cancel *C.tinyci_cancel) error {
		var t texts
		left := t.optional("build", strings.Join(leave, "\n"))
		text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_status {
			return C.tinyci_compact(c, C.size_t(newest), left, cancel, out, err)
		})
		archives = lines(text)
		return err
	})
	return archives, err
}

// Forget takes a commit's verdict away, so that it is due again, and tells whether it had one. Its
// records stay.
func (e *Engine) Forget(revision string) (had bool, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		var t texts
		rev := t.of("revision", revision)
		status, err := t.call(func(err **C.tinyci_error) C.tinyci_status {
			return C.tinyci_forget(c, rev, err)
		})
		had = status == C.TINYCI_OK
		return err
	})
	return had, err
}

// text makes a call that stores a text for the caller.
func (e *Engine) text(t *texts, do func(*C.tinyci_engine, **C.char, **C.tinyci_error) C.tinyci_status) (text string, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		var out *C.char
		_, err := t.call(func(err **C.tinyci_error) C.tinyci_status { return do(c, &out, err) })
		text = taken(out)
		return err
	})
	t.free()
	return text, err
}
