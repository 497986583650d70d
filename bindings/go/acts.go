package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"encoding/json"
	"strings"
	"time"
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
	// AdoptBuilds takes the builds in tinyci.buildsDir over from a repository that is gone.
	AdoptBuilds bool
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
	if installation.AdoptBuilds {
		flags |= C.TINYCI_INSTALL_ADOPT_BUILDS
	}
	var t texts
	command := t.optional("command", installation.Command)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_install(c, command, flags, out, err)
	})
	return lines(text), err
}

// Uninstall takes the hook out again, and leaves every other byte as it is. It returns lines that a
// person should see.
func (e *Engine) Uninstall() (notes []string, err error) {
	text, err := e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_uninstall(c, out, err)
	})
	return lines(text), err
}

// Compact packs old builds into .tar.gz files, never one that a run is working on, and leaves the
// newest as they are. To leave are also the builds that are named: by their names, paths of or in
// builds, links to them, or commits' ids. A build that cannot be packed is left as it is, and the
// rest goes on.
func (e *Engine) Compact(ctx context.Context, newest int, leave ...string) (*CompactReport, error) {
	if newest < 0 {
		newest = 0
	}
	packed := new(CompactReport)
	err := stoppable(ctx, func(cancel *C.tinyci_cancel) (err error) {
		var t texts
		left := t.optional("build", strings.Join(leave, "\n"))
		packed.JSON, err = e.report(&t, packed, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_compact(c, C.size_t(newest), left, cancel, out, err)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return packed, nil
}

// A CompactReport says what was packed.
type CompactReport struct {
	// Compacted are the builds that are archives now, oldest first.
	Compacted []CompactedBuild
	// Unmatched are those of the builds to leave that are not there.
	Unmatched []string
	// NotRemoved is what could not be packed, and folders that are packed and do not go.
	NotRemoved []NotRemoved `json:"not_removed"`
	// JSON is all of it, as `tinyci compact --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A CompactedBuild is a build that is an archive now.
type CompactedBuild struct {
	// Name is that of the folder that it was.
	Name string
	// Archive is its path.
	Archive string
	// Skipped are sockets and devices that the build held: no archive can.
	Skipped []string
}

// NotRemoved is something that was to be removed, or packed, and is still there.
type NotRemoved struct {
	// Path is where it is.
	Path string
	// Reason names the file or the mount in its way.
	Reason string
}

// Forget takes a commit's verdict away, so that it is due again, and tells whether it had one. Its
// records stay.
func (e *Engine) Forget(revision string) (had bool, err error) {
	var t texts
	rev := t.of("revision", revision)
	return e.done(&t, func(c *C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_forget(c, rev, err)
	})
}

// A ForgetReport says which results are gone.
type ForgetReport struct {
	// Removed are the refs that are gone now: those of the verdicts and of the records.
	Removed []string
	// GivenUp are the refs that others had deleted or set back, and that no run restores any more.
	GivenUp []string `json:"given_up"`
	// JSON is all of it, as `tinyci results --forget-all --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// ForgetAll forgets the verdicts and records of all commits, and gives up what others deleted of
// tinyci's refs, which each run restores. Deployments, approvals and the baseline that are there stay.
func (e *Engine) ForgetAll() (*ForgetReport, error) {
	forgotten := new(ForgetReport)
	var err error
	forgotten.JSON, err = e.report(&texts{}, forgotten, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_forget_all(c, out, err)
	})
	if err != nil {
		return nil, err
	}
	return forgotten, nil
}

// A CancelRequest says what is to end. The zero value is the whole run.
type CancelRequest struct {
	// Revision is the commit whose job is to end, in git's syntax; "" for the whole run.
	Revision string
	// Reason says why, which the record keeps.
	Reason string
	// ByName and ByAddress say who; else it is whom git's configuration names, or the account.
	ByName, ByAddress string
	// Kill ends commands at once, without a grace period and without `after_all`.
	Kill bool
	// NoWait does not wait until it has ended.
	NoWait bool
}

// A Cancellation says what a cancel came to.
type Cancellation struct {
	// WholeRun tells whether the whole run was to end.
	WholeRun bool `json:"whole_run"`
	// Jobs are those that were in progress.
	Jobs []CanceledJob
	// JSON is all of it, as `tinyci cancel --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A CanceledJob is a job that was to end.
type CanceledJob struct {
	// Commit is its commit.
	Commit string
	// Job is its id.
	Job string `json:"run"`
	// Outcome is what became of it; "" where it has not ended yet.
	Outcome string
}

// Cancel ends the job of a commit, or a whole run, in whatever process it is, and waits until it has
// ended; the context ends that wait. A run of this process has to be read on meanwhile.
func (e *Engine) Cancel(ctx context.Context, request CancelRequest) (*Cancellation, error) {
	wait, flags := C.int64_t(-1), C.uint32_t(0)
	if request.NoWait {
		wait = 0
	}
	if request.Kill {
		flags |= C.TINYCI_JOB_CANCEL_KILL
	}
	canceled := new(Cancellation)
	err := stoppable(ctx, func(cancel *C.tinyci_cancel) (err error) {
		var t texts
		rev, reason := t.optional("revision", request.Revision), t.optional("reason", request.Reason)
		name, address := t.optional("name", request.ByName), t.optional("address", request.ByAddress)
		canceled.JSON, err = e.report(&t, canceled, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_job_cancel(c, rev, reason, name, address, flags, wait, cancel, out, err)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return canceled, nil
}

// A SkipRequest says what is to be left untested.
type SkipRequest struct {
	// Revision is the commit, in git's syntax.
	Revision string
	// Reason says why, which the record keeps.
	Reason string
	// ByName and ByAddress say who; else it is whom git's configuration names, or the account.
	ByName, ByAddress string
}

// Skip gives a commit the verdict `skipped`, so that it is not tested; a job of it is ended first. It
// returns the record, as `tinyci skip --json` prints it.
func (e *Engine) Skip(ctx context.Context, request SkipRequest) (record json.RawMessage, err error) {
	err = stoppable(ctx, func(cancel *C.tinyci_cancel) (err error) {
		var t texts
		rev, reason := t.of("revision", request.Revision), t.optional("reason", request.Reason)
		name, address := t.optional("name", request.ByName), t.optional("address", request.ByAddress)
		text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_skip(c, rev, reason, name, address, cancel, out, err)
		})
		record = json.RawMessage(text)
		return err
	})
	return record, err
}

// PruneRules say which builds are removed: each field above 0 is a rule. Without any, those of the
// repository's settings hold, `tinyci.pruneKeep` and its like.
type PruneRules struct {
	// Keep removes all but so many builds, those that were run last, and the pinned ones.
	Keep int
	// MaxAge removes builds that were last run longer ago.
	MaxAge time.Duration
	// MaxBytes removes the oldest builds until the rest, pinned ones included, takes no more.
	MaxBytes int64
	// DryRun removes nothing, and tells what would go.
	DryRun bool
}

// A PruneReport says what was removed.
type PruneReport struct {
	// DryRun tells whether nothing was, because only a report was asked for.
	DryRun bool `json:"dry_run"`
	// Removed are the builds that are gone, oldest first.
	Removed []PrunedBuild
	// InUse are the names of builds that were to go, and stay because somebody works in them.
	InUse []string `json:"in_use"`
	// Pinned are the builds that stay whatever the rules say.
	Pinned []PinnedBuild
	// Warnings are what a person should see: that those alone are more than a rule allows.
	Warnings []string
	// NotRemoved is what was to go and is still there. The rest went on.
	NotRemoved []NotRemoved `json:"not_removed"`
	// FreedBytes is how many bytes of the disk are free by it.
	FreedBytes int64 `json:"freed_bytes"`
	// JSON is all of it, as `tinyci prune --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A PrunedBuild is a build that is gone.
type PrunedBuild struct {
	// Name is that of its folder.
	Name string
	// Bytes is what it took on the disk.
	Bytes int64
	// Reason is the rule that left no room for it.
	Reason string
}

// A PinnedBuild is a build that stays whatever the rules say.
type PinnedBuild struct {
	// Name is that of its folder.
	Name string
	// Bytes is what it takes on the disk.
	Bytes int64
	// Why it stays, a few words each: "deployed to production".
	Why []string
}

// Prune removes old builds, never one that a run is working on or that is pinned. Verdicts and records
// stay.
func (e *Engine) Prune(ctx context.Context, rules PruneRules) (*PruneReport, error) {
	keep, age, bytes := int64(rules.Keep), milliseconds(rules.MaxAge), rules.MaxBytes
	for _, rule := range []*int64{&keep, &age, &bytes} {
		if *rule <= 0 {
			*rule = -1
		}
	}
	var flags C.uint32_t
	if rules.DryRun {
		flags |= C.TINYCI_PRUNE_DRY_RUN
	}
	pruned := new(PruneReport)
	err := stoppable(ctx, func(cancel *C.tinyci_cancel) (err error) {
		pruned.JSON, err = e.report(&texts{}, pruned, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_prune(c, C.int64_t(keep), C.int64_t(age), C.int64_t(bytes), flags, cancel, out, err)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return pruned, nil
}

// SetupRemote has `git fetch` bring a remote's verdicts, records and deployments, and `git log` show the
// verdicts. The remote "" is origin. It returns the lines that are new in git's configuration.
func (e *Engine) SetupRemote(remote string) (changes []string, err error) {
	var t texts
	name := t.optional("remote", remote)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_setup_remote(c, name, out, err)
	})
	return lines(text), err
}

// UndoSetupRemote takes the lines of SetupRemote out again, and returns them. What was fetched stays.
func (e *Engine) UndoSetupRemote(remote string) (changes []string, err error) {
	var t texts
	name := t.optional("remote", remote)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_undo_setup_remote(c, name, out, err)
	})
	return lines(text), err
}

// MergeResults merges the verdicts and records that were last fetched of a remote into the
// repository's own, and tells whether something was new. The remote "" is origin.
func (e *Engine) MergeResults(remote string) (merged bool, err error) {
	var t texts
	name := t.optional("remote", remote)
	return e.done(&t, func(c *C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_merge_results(c, name, err)
	})
}

// done makes a call that tells whether there was something to do.
func (e *Engine) done(t *texts, do func(*C.tinyci_engine, **C.tinyci_error) C.tinyci_code) (done bool, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		status, err := t.call(func(err **C.tinyci_error) C.tinyci_code { return do(c, err) })
		done = status == C.TINYCI_OK
		return err
	})
	t.free()
	return done, err
}

// A textCall stores a text for the caller.
type textCall func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code

// text makes a call that stores a text for the caller.
func (e *Engine) text(t *texts, do textCall) (text string, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		var out *C.char
		_, err := t.call(func(err **C.tinyci_error) C.tinyci_code { return do(c, &out, err) })
		text = taken(out)
		return err
	})
	t.free()
	return text, err
}
