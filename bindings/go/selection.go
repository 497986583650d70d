package tinyci

// #include <tinyci.h>
import "C"

import (
	"runtime"
	"time"
)

// A Selection says which commits to look at. The zero value is [Pending]: all that is pending.
type Selection struct {
	// Revisions are single commits in git's syntax: "HEAD", "main~3", a tag, a short id. What is
	// named is due whatever refs and baseline say.
	Revisions []string
	// Ranges are ranges in git's syntax, such as "v1.0..main".
	Ranges []string
	// Updates are refs that were pushed. They say whose verdicts are waited for; a run covers all
	// selected refs.
	Updates []Update
	// HookLines is what a post-receive hook reads on its standard input: the same as Updates.
	HookLines []byte
	// PushOptions are what was said with the push, `git push -o`: "ci.skip" leaves what it brought
	// untested.
	PushOptions []string
	// Wait is what to do where another run works in the repository: 0 is ErrBusy at once, above 0
	// follows it for so long at most, below 0 for as long as it takes.
	Wait time.Duration
	// Retry runs named commits again though they have a verdict or are out of attempts.
	Retry bool
	// ReplaceLive lets a retry make the build anew of a commit that is deployed, in the place of what
	// runs. Without it such a retry is refused.
	ReplaceLive bool
	// AllHistory looks under the baseline too, which holds what was there before tinyci.
	AllHistory bool
	// Assume is the output that Plan assumes of commands.
	Assume []Assumption
	// Pipeline judges every selected commit, in the place of its own config.
	Pipeline *Pipeline
}

// Pending is the selection of all that is pending.
var Pending = Selection{}

// An Update is a ref that was pushed: a line of what git tells a post-receive hook.
type Update struct {
	// Old is the full id that the ref had; forty zeros for a new one.
	Old string
	// New is the full id that it has now; forty zeros for a deleted one.
	New string
	// Ref is its full name, such as "refs/heads/main".
	Ref string
}

// Revisions selects single commits.
func Revisions(revisions ...string) Selection {
	return Selection{Revisions: revisions}
}

// with makes the selection for one call.
func (s Selection) with(do func(c *C.tinyci_selection) error) error {
	c := C.tinyci_selection_new()
	defer C.tinyci_selection_free(c)
	if err := s.fill(c); err != nil {
		return err
	}
	return do(c)
}

func (s Selection) fill(c *C.tinyci_selection) error {
	for _, revision := range s.Revisions {
		var t texts
		text := t.of("revision", revision)
		if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_selection_add_revision(c, text, err)
		}); err != nil {
			return err
		}
	}
	for _, commits := range s.Ranges {
		var t texts
		text := t.of("range", commits)
		if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_selection_add_range(c, text, err)
		}); err != nil {
			return err
		}
	}
	for _, update := range s.Updates {
		var t texts
		older, newer, ref := t.of("id", update.Old), t.of("id", update.New), t.of("ref", update.Ref)
		if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_selection_add_update(c, older, newer, ref, err)
		}); err != nil {
			return err
		}
	}
	for _, option := range s.PushOptions {
		var t texts
		text := t.of("option", option)
		if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_selection_add_push_option(c, text, err)
		}); err != nil {
			return err
		}
	}
	if err := assume(s.Assume, func(command, output *C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_selection_add_assumption(c, command, output, err)
	}); err != nil {
		return err
	}
	return s.fillRest(c)
}

func (s Selection) fillRest(c *C.tinyci_selection) error {
	var t texts
	hookLines := t.raw(string(s.HookLines))
	_, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
		status := C.tinyci_code(C.TINYCI_OK)
		if len(s.HookLines) > 0 {
			status = C.tinyci_selection_add_hook_lines(c, hookLines, C.size_t(len(s.HookLines)), err)
		}
		if status == C.TINYCI_OK {
			status = C.tinyci_selection_set_wait_ms(c, s.waitMilliseconds(), err)
		}
		if status == C.TINYCI_OK {
			status = C.tinyci_selection_set_retry(c, flag(s.Retry), err)
		}
		if status == C.TINYCI_OK {
			status = C.tinyci_selection_set_replace_live(c, flag(s.ReplaceLive), err)
		}
		if status == C.TINYCI_OK {
			status = C.tinyci_selection_set_all_history(c, flag(s.AllHistory), err)
		}
		if status == C.TINYCI_OK && s.Pipeline != nil {
			status = C.tinyci_selection_set_pipeline(c, s.Pipeline.c, err)
		}
		return status
	})
	runtime.KeepAlive(s.Pipeline)
	return err
}

func (s Selection) waitMilliseconds() C.int64_t {
	if s.Wait < 0 {
		return -1
	}
	return C.int64_t(milliseconds(s.Wait))
}

// isPending tells whether nothing is said.
func (s Selection) isPending() bool {
	return len(s.Revisions)+len(s.Ranges)+len(s.Updates)+len(s.HookLines)+len(s.PushOptions) == 0 &&
		s.Wait == 0 && !s.Retry && !s.AllHistory && s.Pipeline == nil
}
