package tinyci_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tinyci"
)

// TestMain is the tests, or one of the programs of process_test.go that a test starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "program" {
		program(os.Args[2], os.Args[3])
		return
	}
	os.Exit(m.Run())
}

// A repository is a real one, made with the real git.
type repository struct {
	t    *testing.T
	path string
	// commits is how many were made: each is a minute older than the next.
	commits int
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t: t, path: t.TempDir()}
	r.git("init", "-q", "-b", "main")
	return r
}

// with is a repository whose one commit has this config.
func with(t *testing.T, config string) *repository {
	t.Helper()
	r := newRepository(t)
	r.commit(".tinyci.yml", config)
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	identity := []string{"-C", r.path, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"}
	cmd := exec.Command("git", append(identity, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		fmt.Sprintf("GIT_COMMITTER_DATE=%d +0000", 1700000000+60*r.commits))
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits a file, and gives the commit's id.
func (r *repository) commit(name, text string) string {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.path, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.commits++
	r.git("add", name)
	r.git("commit", "-q", "--allow-empty", "-m", "change "+name)
	return r.git("rev-parse", "HEAD")
}

// verdict returns the verdict in the notes; "" if there is none.
func (r *repository) verdict(revision string) string {
	cmd := exec.Command("git", "-C", r.path, "notes", "--ref=tinyci-result", "show", revision)
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) open(options ...tinyci.Option) *tinyci.Engine {
	r.t.Helper()
	engine, err := tinyci.Open(r.path, options...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { engine.Close() })
	return engine
}

// pull pulls a run to its end, and gives what its commands wrote.
func pull(run *tinyci.Run) string {
	var output strings.Builder
	for run.Next() {
		if event, ok := run.Event().(tinyci.Output); ok {
			output.Write(event.Data)
		}
	}
	return output.String()
}

// green runs all that is pending, and wants it to pass.
func green(t *testing.T, engine *tinyci.Engine) string {
	t.Helper()
	run := engine.Run(context.Background(), tinyci.Pending)
	output := pull(run)
	if err := run.Err(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if len(run.Records()) == 0 {
		t.Fatal("nothing was due")
	}
	for _, record := range run.Records() {
		if !record.Passed || record.Outcome != tinyci.Success {
			t.Fatalf("%s\n%s", record.JSON, output)
		}
	}
	return output
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// pid waits for the number that a command wrote to a file of the repository.
func (r *repository) pid(name string) int {
	r.t.Helper()
	pid := 0
	eventually(r.t, "a number in "+name, func() bool {
		text, _ := os.ReadFile(filepath.Join(r.path, name))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid != 0 && strings.HasSuffix(string(text), "\n")
	})
	return pid
}

// gone waits for the end of a process, and of the group that it leads.
func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d is gone", pid), func() bool {
		return !alive(pid) && syscall.Kill(-pid, 0) == syscall.ESRCH
	})
}

// alive returns true if a process runs. A zombie does not run.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Errorf("%s: %#v, not %#v", what, got, want)
	}
}
