package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// Installation has the options of [Engine.Install].
type Installation struct {
	// Command is the command of the git hook: a name in the server's PATH, or an absolute path. "" is
	// "tinyci".
	Command string
	// HideRefs makes git refuse pushes to the refs that contain verdicts.
	HideRefs bool
	// SharedHooks allows the installation in a directory that several repositories use (core.hooksPath).
	SharedHooks bool
	// AdoptBuilds takes over the builds in tinyci.buildsDir from a repository that no longer exists.
	AdoptBuilds bool
}

// Install installs the git hook that tests pushed commits. Existing hooks stay. It returns messages for a
// person: what the hook needs and what it does not do.
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

// Uninstall removes the git hook and changes nothing else. It returns messages for a person.
func (e *Engine) Uninstall() (notes []string, err error) {
	text, err := e.text(&texts{}, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_uninstall(c, out, err)
	})
	return lines(text), err
}

// Compact packs old builds into .tar.gz files. It leaves builds that are in use, the newest keep builds,
// and the builds named by keepBuilds: by name, by a path of or in a build, by a link to one, or by a commit
// id. If a build cannot be packed, it stays, and Compact continues.
func (e *Engine) Compact(ctx context.Context, keep int, keepBuilds ...string) (*CompactReport, error) {
	if keep < 0 {
		keep = 0
	}
	packed := new(CompactReport)
	err := stoppable(ctx, func(cancel *C.tinyci_cancel) (err error) {
		var t texts
		named := t.optional("build", strings.Join(keepBuilds, "\n"))
		packed.JSON, err = e.report(&t, packed, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_compact(c, C.size_t(keep), named, cancel, out, err)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return packed, nil
}

// A CompactReport lists what was packed.
type CompactReport struct {
	// Compacted are the packed builds, oldest first.
	Compacted []CompactedBuild
	// Unmatched are the keepBuilds that match no build.
	Unmatched []string
	// NotRemoved are builds that could not be packed, and directories of packed builds that could not be
	// removed.
	NotRemoved []NotRemoved `json:"not_removed"`
	// JSON is the complete report, as `tinyci compact --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A CompactedBuild is a packed build.
type CompactedBuild struct {
	// Name is the name of the former build directory.
	Name string
	// Archive is the path of the archive.
	Archive string
	// Omitted are the sockets and devices of the build, which an archive cannot contain.
	Omitted []string
}

// NotRemoved is a path that could not be removed or packed.
type NotRemoved struct {
	// Path is the path.
	Path string
	// Reason names the file or mount that prevented it.
	Reason string
}

// Forget deletes a commit's verdict, so that it is tested again. Its records stay. It returns false if there
// was no verdict.
func (e *Engine) Forget(revision string) (had bool, err error) {
	var t texts
	rev := t.of("revision", revision)
	return e.done(&t, func(c *C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_forget(c, rev, err)
	})
}

// A ForgetReport lists the deleted results.
type ForgetReport struct {
	// Removed are the deleted refs: those of verdicts and of records.
	Removed []string
	// GivenUp are refs that other programs had deleted or moved back. Runs no longer restore them.
	GivenUp []string `json:"given_up"`
	// JSON is the complete report, as `tinyci results --forget-all --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// ForgetAll deletes the verdicts and records of all commits. It also accepts the loss of refs that other
// programs deleted, which runs otherwise restore. Existing deployments, approvals and the baseline stay.
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

// A CancelRequest selects what to cancel. The zero value is the whole run.
type CancelRequest struct {
	// Revision is the commit whose job to cancel, in git's revision syntax; "" for the whole run.
	Revision string
	// Reason is stored in the record.
	Reason string
	// ByName and ByAddress name the person. Default: git's user.name and user.email, else the Unix account.
	ByName, ByAddress string
	// Kill ends commands at once, without a grace period and without `after_all`.
	Kill bool
	// NoWait returns before the job has ended.
	NoWait bool
}

// A Cancellation is the result of [Engine.Cancel].
type Cancellation struct {
	// WholeRun is true if the whole run was canceled.
	WholeRun bool `json:"whole_run"`
	// Jobs are the canceled jobs.
	Jobs []CanceledJob
	// JSON is the complete result, as `tinyci cancel --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A CanceledJob is a canceled job.
type CanceledJob struct {
	// Commit is the full id of its commit.
	Commit string
	// JobID is the id of the job.
	JobID string `json:"job_id"`
	// Outcome is the outcome of the job; "" if it has not ended yet.
	Outcome string
}

// Cancel cancels the job of a commit, or a whole run, in any process, and waits until it has ended. The end
// of the context ends the wait. If this process owns the run, another goroutine must keep calling Next.
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

// A SkipRequest selects a commit to skip.
type SkipRequest struct {
	// Revision is the commit, in git's revision syntax.
	Revision string
	// Reason is stored in the record.
	Reason string
	// ByName and ByAddress name the person. Default: git's user.name and user.email, else the Unix account.
	ByName, ByAddress string
}

// Skip gives a commit the verdict `skipped`, so that it is not tested. An active job of it is canceled first.
// Skip returns the record, as `tinyci skip --json` prints it.
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

// PruneRules say which builds to remove; each field above 0 is a rule. Without a rule, the repository's
// settings apply, such as `tinyci.pruneKeep`.
type PruneRules struct {
	// Keep keeps the N builds that ran last and the protected ones, and removes the others.
	Keep int
	// MaxAge removes builds that last ran longer ago than this.
	MaxAge time.Duration
	// MaxBytes removes the oldest builds until the others, protected ones included, fit.
	MaxBytes int64
	// DryRun removes nothing and reports what would be removed.
	DryRun bool
}

// A PruneReport lists the removed builds.
type PruneReport struct {
	// DryRun is true if nothing was removed.
	DryRun bool `json:"dry_run"`
	// Removed are the removed builds, oldest first.
	Removed []PrunedBuild
	// InUse are the names of builds that stay because a process uses them.
	InUse []string `json:"in_use"`
	// Protected are the builds that no rule removes.
	Protected []ProtectedBuild
	// Warnings are messages for a person, such as that the protected builds alone exceed a rule.
	Warnings []string
	// NotRemoved are builds that could not be removed. The others were.
	NotRemoved []NotRemoved `json:"not_removed"`
	// FreedBytes is the disk space that was freed.
	FreedBytes int64 `json:"freed_bytes"`
	// JSON is the complete report, as `tinyci prune --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A PrunedBuild is a removed build.
type PrunedBuild struct {
	// Name is the name of the build directory.
	Name string
	// Bytes is the disk space that the build used.
	Bytes int64
	// Reason is the rule that removed it.
	Reason string
}

// A ProtectedBuild is a build that no rule removes.
type ProtectedBuild struct {
	// Name is the name of the build directory.
	Name string
	// Bytes is the disk space that the build uses.
	Bytes int64
	// Why has the reasons, such as "deployed to production".
	Why []string
}

// Prune removes old builds, but none that is in use or protected. Verdicts and records stay.
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

// SetupRemote configures the repository so that `git fetch` also fetches a remote's verdicts, records and
// deployments, and `git log` shows the verdicts. The remote "" is origin. It returns the added lines of git's
// configuration.
func (e *Engine) SetupRemote(remote string) (changes []string, err error) {
	var t texts
	name := t.optional("remote", remote)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_setup_remote(c, name, out, err)
	})
	return lines(text), err
}

// UndoSetupRemote removes the lines that SetupRemote added, and returns them. What was fetched stays.
func (e *Engine) UndoSetupRemote(remote string) (changes []string, err error) {
	var t texts
	name := t.optional("remote", remote)
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_undo_setup_remote(c, name, out, err)
	})
	return lines(text), err
}

// MergeResults merges the verdicts and records that were last fetched from a remote into the repository's
// own. It returns false if nothing was new. The remote "" is origin.
func (e *Engine) MergeResults(remote string) (merged bool, err error) {
	var t texts
	name := t.optional("remote", remote)
	return e.done(&t, func(c *C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_merge_results(c, name, err)
	})
}

// done makes a call that reports whether there was something to do.
func (e *Engine) done(t *texts, do func(*C.tinyci_engine, **C.tinyci_error) C.tinyci_code) (done bool, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		code, err := t.call(func(err **C.tinyci_error) C.tinyci_code { return do(c, err) })
		done = code == C.TINYCI_OK
		return err
	})
	t.free()
	return done, err
}

// A textCall returns a string that the caller frees.
type textCall func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code

// text makes a call that returns a string.
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
