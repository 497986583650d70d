package tinyci_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tinyci"
)

const sleeping = "build: 'echo $$ > $TINYCI_REPO/pid; echo going; exec sleep 600'\n" +
	"hooks: {after_all: 'touch $TINYCI_REPO/cleaned'}\n"

func TestARunTellsItsEventsAndLeavesRecords(t *testing.T) {
	repo := with(t, "build: echo built\ntest: exit 3\n")
	engine := repo.open(tinyci.Jobs(2), tinyci.Setting("passEnv", "*"))
	run := engine.Run(context.Background(), tinyci.Pending)
	var kinds []string
	var lines, output string
	var sequence uint64
	for run.Next() {
		event := run.Event()
		var line map[string]any
		if err := json.Unmarshal(run.EventJSON(), &line); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, line["event"].(string))
		meta := event.Meta()
		if meta.Sequence != sequence+1 || time.Since(meta.Time) > time.Hour {
			t.Errorf("%+v", meta)
		}
		sequence, lines = meta.Sequence, lines+meta.LogLines
		switch event := event.(type) {
		case tinyci.Planned:
			check(t, "planned", event.Jobs[0].Commit.Subject, "change .tinyci.yml")
			check(t, "reason", event.Jobs[0].Trigger, "pending")
		case tinyci.JobStarted:
			check(t, "started", event.Details.ID, repo.git("rev-parse", "HEAD"))
		case tinyci.Exported:
			check(t, "dir", filepath.Base(event.Dir), "export")
		case tinyci.Output:
			output += string(event.Data)
			check(t, "stream", event.Stream, tinyci.Stdout)
			check(t, "step", event.Step, "build")
		case tinyci.JobFinished:
			check(t, "record", event.Record.Outcome, tinyci.Failure)
			check(t, "job", event.Record.JobID, event.JobID)
		case tinyci.Finished:
			check(t, "outcome", event.Outcome, tinyci.Failure)
		}
	}
	if err := run.Err(); err != nil {
		t.Fatal(err)
	}
	check(t, "kinds", strings.Join(kinds, " "), "planned job_started exported step_started output "+
		"step_finished step_started step_finished job_finished finished")
	check(t, "output", output, "built\n")
	if !strings.Contains(lines, "failed") && !strings.Contains(lines, "FAIL") && lines == "" {
		t.Errorf("lines of the log: %q", lines)
	}
	check(t, "event after the end", run.Event(), nil)
	check(t, "next after the end", run.Next(), false)
	check(t, "outcome", run.Outcome(), tinyci.Failure)
	record := run.Records()[0]
	check(t, "passed", record.Passed, false)
	check(t, "branch", record.Branch, "main")
	check(t, "steps", len(record.Steps), 2)
	check(t, "exit code", record.Steps[1].Commands[0].ExitCode, 3)
	check(t, "verdict", repo.verdict("HEAD"), "failure")
	check(t, "close", run.Close(), nil)
}

func TestTheEndOfAContextStopsARun(t *testing.T) {
	repo := with(t, sleeping)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	run := repo.open().Run(ctx, tinyci.Pending)
	for run.Next() {
		if _, ok := run.Event().(tinyci.Output); ok {
			cancel()
		}
	}
	if err := run.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	check(t, "outcome", run.Records()[0].Outcome, tinyci.Canceled)
	check(t, "verdict", repo.verdict("HEAD"), "")
	gone(t, repo.pid("pid"))
	if _, err := os.Stat(filepath.Join(repo.path, "cleaned")); err != nil {
		t.Error("after_all did not run: ", err)
	}
}

func TestADeadlineEndsASilentBuild(t *testing.T) {
	repo := with(t, "build: exec sleep 600\n")
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	run := repo.open().Run(ctx, tinyci.Pending)
	pull(run)
	check(t, "error", errors.Is(run.Err(), context.DeadlineExceeded), true)
	check(t, "verdict", repo.verdict("HEAD"), "")
	run = repo.open().Run(ctx, tinyci.Pending)
	check(t, "next", run.Next(), false)
	check(t, "error", run.Err(), context.DeadlineExceeded)
	check(t, "close", run.Close(), nil)
	run.Cancel()
}

func TestLeavingTheLoopEarlyKillsAndFrees(t *testing.T) {
	repo := with(t, sleeping)
	engine := repo.open()
	func() {
		run := engine.Run(context.Background(), tinyci.Pending)
		defer run.Close()
		for run.Next() {
			if _, ok := run.Event().(tinyci.Output); ok {
				return
			}
		}
		t.Error("no output came")
	}()
	check(t, "alive", alive(repo.pid("pid")), false)
	gone(t, repo.pid("pid"))
	check(t, "verdict", repo.verdict("HEAD"), "")
	if _, err := os.Stat(filepath.Join(repo.path, "cleaned")); err == nil {
		t.Error("after_all ran")
	}
	if _, err := engine.PendingCommits(tinyci.Pending); err != nil {
		t.Error(err)
	}
}

func TestAnotherGoroutineClosesOrCancels(t *testing.T) {
	for name, stop := range map[string]func(*tinyci.Run){
		"Close":  func(run *tinyci.Run) { run.Close() },
		"Cancel": func(run *tinyci.Run) { run.Cancel(); run.Cancel() },
	} {
		repo := with(t, "build: 'echo $$ > $TINYCI_REPO/pid; exec sleep 600'\n")
		run := repo.open().Run(context.Background(), tinyci.Pending)
		stopped := make(chan bool)
		go func() {
			repo.pid("pid")
			stop(run)
			close(stopped)
		}()
		pull(run)
		<-stopped
		check(t, name+": passed", run.Outcome().Passed(), false)
		check(t, name+": verdict", repo.verdict("HEAD"), "")
		gone(t, repo.pid("pid"))
	}
}

func TestARunThatWasClosedIsNotTakenForOneThatEnded(t *testing.T) {
	run := with(t, "build: ':'\n").open().Run(context.Background(), tinyci.Pending)
	run.Close()
	check(t, "next", run.Next(), false)
	check(t, "closed", errors.Is(run.Err(), os.ErrClosed), true)
	check(t, "canceled", errors.Is(run.Err(), tinyci.ErrCanceled), true)
	check(t, "records", len(run.Records()), 0)
}

func TestAForgottenRunIsStoppedByTheCollector(t *testing.T) {
	repo := with(t, sleeping)
	engine := repo.open()
	func() {
		run := engine.Run(context.Background(), tinyci.Pending)
		for run.Next() {
			if _, ok := run.Event().(tinyci.Output); ok {
				return
			}
		}
	}()
	pid := repo.pid("pid")
	eventually(t, "the command is gone", func() bool {
		runtime.GC()
		return !alive(pid)
	})
	check(t, "verdict", repo.verdict("HEAD"), "")
	run := engine.Run(context.Background(), tinyci.Selection{Wait: -1})
	defer run.Close()
	// Its first event may only say that it waits for the other one to end.
	held := false
	for !held && run.Next() {
		_, held = run.Event().(tinyci.Output)
	}
	if !held {
		t.Errorf("the lock is still held: %v", run.Err())
	}
}

func TestABusyRepositoryIsAnErrorAndCanBeFollowed(t *testing.T) {
	repo := with(t, "build: 'until [ -e $TINYCI_REPO/go ]; do echo waiting; sleep 0.01; done; echo built'\n")
	first := repo.open().Run(context.Background(), tinyci.Pending)
	defer first.Close()
	for first.Next() {
		if _, ok := first.Event().(tinyci.Output); ok {
			break
		}
	}
	engine := repo.open()
	busy := engine.Run(context.Background(), tinyci.Pending)
	check(t, "next", busy.Next(), false)
	var failed *tinyci.Error
	if !errors.Is(busy.Err(), tinyci.ErrBusy) || !errors.As(busy.Err(), &failed) || failed.Message == "" {
		t.Errorf("%v", busy.Err())
	}
	follower := engine.Follow(context.Background(), tinyci.Revisions("HEAD"))
	var followed sync.WaitGroup
	followed.Add(1)
	var seen string
	go func() {
		defer followed.Done()
		for follower.Next() {
			if event, ok := follower.Event().(tinyci.Output); ok {
				seen += string(event.Data)
				_ = os.WriteFile(filepath.Join(repo.path, "go"), nil, 0o644)
			}
		}
	}()
	pull(first)
	followed.Wait()
	check(t, "first", first.Err(), nil)
	check(t, "follower", follower.Err(), nil)
	check(t, "records", len(follower.Records()), 0)
	if !strings.Contains(seen, "built") {
		t.Errorf("followed: %q", seen)
	}
	check(t, "verdict", repo.verdict("HEAD"), "success")
}

func TestAFollowerIsStoppedByItsContext(t *testing.T) {
	repo := with(t, "build: 'echo going; exec sleep 600'\n")
	first := repo.open().Run(context.Background(), tinyci.Pending)
	defer first.Close()
	for first.Next() {
		if _, ok := first.Event().(tinyci.Output); ok {
			break
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	follower := repo.open().Follow(ctx, tinyci.Revisions("HEAD"))
	time.AfterFunc(100*time.Millisecond, cancel)
	pull(follower)
	check(t, "error", errors.Is(follower.Err(), context.Canceled), true)
}

func TestTwoEnginesRunAtOnce(t *testing.T) {
	var both sync.WaitGroup
	for _, name := range []string{"one", "two", "three"} {
		repo := newRepository(t)
		repo.commit(".tinyci.yml", "build: echo <%= who %>\n")
		for n := 0; n < 3; n++ {
			repo.commit("more", strings.Repeat("x", n))
		}
		name := name
		engine := repo.open(tinyci.Jobs(2), tinyci.OnHook("before_build", func(h *tinyci.Hook) error {
			return h.SetVar("who", name)
		}))
		both.Add(1)
		go func() {
			defer both.Done()
			run := engine.Run(context.Background(), tinyci.Pending)
			output := pull(run)
			check(t, name, output, strings.Repeat(name+"\n", 4))
			check(t, name, run.Err(), nil)
			check(t, name, len(run.Records()), 4)
		}()
	}
	both.Wait()
}

func TestAnEngineCanBeUsedByManyGoroutinesAndClosedMeanwhile(t *testing.T) {
	repo := with(t, "build: ':'\n")
	engine := repo.open()
	green(t, engine)
	var all sync.WaitGroup
	for n := 0; n < 8; n++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for n := 0; n < 20; n++ {
				_, err := engine.Records(tinyci.RecordFilter{})
				if err != nil && !errors.Is(err, os.ErrClosed) {
					t.Error(err)
				}
				_, _ = engine.Plan(tinyci.Revisions("HEAD"))
			}
		}()
	}
	engine.Close()
	all.Wait()
	_, err := engine.PendingCommits(tinyci.Pending)
	check(t, "closed", errors.Is(err, os.ErrClosed), true)
	run := engine.Run(context.Background(), tinyci.Pending)
	check(t, "next", run.Next(), false)
	check(t, "closed", errors.Is(run.Err(), os.ErrClosed), true)
}

func TestARunGoesOnWhereItsEngineWasClosed(t *testing.T) {
	repo := with(t, "build: echo built\n")
	engine := repo.open()
	run := engine.Run(context.Background(), tinyci.Pending)
	engine.Close()
	check(t, "output", pull(run), "built\n")
	check(t, "error", run.Err(), nil)
	check(t, "verdict", repo.verdict("HEAD"), "success")
}
