package tinyci_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// example builds a program of examples/go.
func example(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", program, "./"+name)
	build.Dir = "../../examples/go"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func TestTheProgramThatRunsAllPendingCommits(t *testing.T) {
	program := example(t, "run_pending")
	repo := with(t, "build: echo release <%= release %>\n")
	head := repo.git("rev-parse", "HEAD")
	out, err := exec.Command(program, repo.path).CombinedOutput()
	check(t, "output", string(out), "release 42\n"+head+" success\n")
	check(t, "error", err, nil)
	out, err = exec.Command(program, filepath.Join(repo.path, "nothing")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "nothing") {
		t.Errorf("%v %s", err, out)
	}
}

func TestCtrlCStopsTheProgramThatRunsAllPendingCommits(t *testing.T) {
	program := example(t, "run_pending")
	repo := with(t, "build: 'echo $$ > $TINYCI_REPO/pid; exec sleep 600'\n")
	cmd := exec.Command(program, repo.path)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := repo.pid("pid")
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	check(t, "code", cmd.ProcessState.ExitCode(), 1)
	if !strings.Contains(out.String(), " canceled\n") || !strings.Contains(out.String(), "context canceled") {
		t.Error(out.String())
	}
	gone(t, pid)
}

func TestTheWebhook(t *testing.T) {
	program := example(t, "webhook")
	repo := with(t, "build: echo built\n")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("swordfish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-listen", "127.0.0.1:0", "-secret-file", secret, repo.path)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	reader := bufio.NewReader(stderr)
	line, _ := reader.ReadString('\n')
	_, rest, _ := strings.Cut(line, "http://")
	address, _, _ := strings.Cut(rest, "/push")
	url := "http://" + address
	go io.Copy(io.Discard, reader)
	eventually(t, "the first commit is judged", func() bool { return strings.Contains(get(t, url+"/"), " success ") })

	repo.commit(".tinyci.yml", "build: 'echo $$ > $TINYCI_REPO/pid; exec sleep 600'\n")
	check(t, "not signed", post(t, url+"/push", "{}", "sha256=00"), http.StatusForbidden)
	mac := hmac.New(sha256.New, []byte("swordfish"))
	mac.Write([]byte("{}"))
	signature := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	check(t, "signed", post(t, url+"/push", "{}", signature), http.StatusAccepted)
	pid := repo.pid("pid")
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	check(t, "code", cmd.ProcessState.ExitCode(), 0)
	gone(t, pid)
	check(t, "verdict", repo.verdict("HEAD"), "")
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return string(text)
}

func post(t *testing.T, url, body, signature string) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Hub-Signature-256", signature)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}
