package tinyci

// #include <tinyci.h>
import "C"

import (
	"runtime"
	"time"
)

// A Selection selects commits. The zero value is [Pending].
type Selection struct {
	// Revisions are single commits in git's revision syntax: "HEAD", "main~3", a tag, a short id. A named
	// commit is pending even if no selected ref reaches it or it is below the baseline.
	Revisions []string
	// Ranges are ranges in git's revision syntax, such as "v1.0..main".
	Ranges []string
	// Updates are the pushed refs. Only their verdicts are awaited; the run covers all selected refs.
	Updates []Update
	// HookLines are the lines that git writes to the standard input of a post-receive hook. They mean the
	// same as Updates.
	HookLines []byte
	// PushOptions are the options of `git push -o`. With "ci.skip" the pushed commits are not tested.
	PushOptions []string
	// Wait is how long to follow another run in the repository: 0 returns ErrBusy at once, below 0 waits
	// without a limit.
	Wait time.Duration
	// Retry tests named commits again that have a verdict or are out of attempts.
	Retry bool
	// ReplaceLive allows a retry to replace the build of a commit that is deployed. Without it, such a retry
	// is refused.
	ReplaceLive bool
	// AllHistory includes the commits below the baseline, which are older than the use of tinyci.
	AllHistory bool
	// Assume is the output that Plan assumes of commands.
	Assume []Assumption
	// Pipeline replaces the config of every selected commit.
	Pipeline *Pipeline
}

// Pending selects all pending commits.
var Pending = Selection{}

// An Update is a pushed ref: one line of the input of a post-receive hook.
type Update struct {
	// Old is the full id that the ref had; all zeros for a new ref.
	Old string
	// New is the full id that the ref has now; all zeros for a deleted ref.
	New string
	// Ref is the full name of the ref, such as "refs/heads/main".
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
		code := C.tinyci_code(C.TINYCI_OK)
		if len(s.HookLines) > 0 {
			code = C.tinyci_selection_add_hook_lines(c, hookLines, C.size_t(len(s.HookLines)), err)
		}
		if code == C.TINYCI_OK {
			code = C.tinyci_selection_set_wait_ms(c, s.waitMilliseconds(), err)
		}
		if code == C.TINYCI_OK {
			code = C.tinyci_selection_set_retry(c, flag(s.Retry), err)
		}
		if code == C.TINYCI_OK {
			code = C.tinyci_selection_set_replace_live(c, flag(s.ReplaceLive), err)
		}
		if code == C.TINYCI_OK {
			code = C.tinyci_selection_set_all_history(c, flag(s.AllHistory), err)
		}
		if code == C.TINYCI_OK && s.Pipeline != nil {
			code = C.tinyci_selection_set_pipeline(c, s.Pipeline.c, err)
		}
		return code
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

// isPending returns true if no field is set that selects records.
func (s Selection) isPending() bool {
	return len(s.Revisions)+len(s.Ranges)+len(s.Updates)+len(s.HookLines)+len(s.PushOptions) == 0 &&
		s.Wait == 0 && !s.Retry && !s.AllHistory && s.Pipeline == nil
}
