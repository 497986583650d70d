package tinyci_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"tinyci"
)

// program is what a test starts of itself: it ends in the middle of a run.
func program(how, path string) {
	engine, err := tinyci.Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	run := engine.Run(context.Background(), tinyci.Pending)
	for run.Next() {
		if _, ok := run.Event().(tinyci.Output); !ok {
			continue
		}
		switch how {
		case "exit":
			os.Exit(0)
		case "panic":
			panic("in mid-run")
		case "goroutine":
			go func() { panic("in another goroutine") }()
		case "return":
			return
		}
	}
	fmt.Fprintln(os.Stderr, "the run ended: ", run.Err())
	os.Exit(3)
}

// start starts the program over a repository with a build that goes on until it is ended.
func start(t *testing.T, how string) (*repository, *exec.Cmd) {
	t.Helper()
	repo := with(t, sleeping)
	cmd := exec.Command(os.Args[0], "program", how, repo.path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return repo, cmd
}

func nothingRemains(t *testing.T, repo *repository) {
	t.Helper()
	gone(t, repo.pid("pid"))
	check(t, "verdict", repo.verdict("HEAD"), "")
	// The lock went with the process and its guard: the next run works. It is of another commit, as
	// this one would sleep again.
	repo.git("checkout", "-q", "--orphan", "next")
	repo.git("branch", "-q", "-D", "main")
	repo.commit(".tinyci.yml", "build: ':'\n")
	run := repo.open().Run(context.Background(), tinyci.Selection{Wait: -1})
	pull(run)
	check(t, "the next run", run.Err(), nil)
	check(t, "verdict", repo.verdict("HEAD"), "success")
}

func TestAProgramThatEndsInMidRunLeavesNothingBehind(t *testing.T) {
	for how, code := range map[string]int{"exit": 0, "return": 0, "panic": 2, "goroutine": 2} {
		how, code := how, code
		t.Run(how, func(t *testing.T) {
			repo, cmd := start(t, how)
			_ = cmd.Wait()
			check(t, "code", cmd.ProcessState.ExitCode(), code)
			nothingRemains(t, repo)
		})
	}
}

func TestASignalInMidRunLeavesNothingBehind(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		signal := signal
		t.Run(signal.String(), func(t *testing.T) {
			repo, cmd := start(t, "signal")
			repo.pid("pid")
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if signal != syscall.SIGKILL && !status.Signaled() && status.ExitStatus() != 2 {
				t.Errorf("%v", cmd.ProcessState)
			}
			nothingRemains(t, repo)
		})
	}
}
