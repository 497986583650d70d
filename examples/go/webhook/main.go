// Command webhook tests the pending commits of a repository when a forge sends a webhook:
//
//	webhook -listen 127.0.0.1:8000 -secret-file /etc/webhook.secret -fetch /srv/git/app.git
//
// POST /push answers at once and starts a run. With -secret-file, the request needs a valid
// X-Hub-Signature-256 header, as GitHub, Gitea and others send it. With -fetch, the program first
// fetches the branches of the remote origin. GET / lists the outcomes of the newest commits. GET /log
// shows the run live. SIGINT and SIGTERM stop the running commands, and the program.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"tinyci"
)

// A server tests the pushes to one repository, one run at a time.
type server struct {
	engine *tinyci.Engine
	secret []byte
	fetch  bool
	// pushed holds at most one push, because a run tests all pending commits.
	pushed chan struct{}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8000", "`address` to listen on")
	secretFile := flag.String("secret-file", "", "`file` with the secret of the webhook")
	fetch := flag.Bool("fetch", false, "fetch the branches of origin before each run")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: webhook [-listen ADDRESS] [-secret-file FILE] [-fetch] REPOSITORY")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, flag.Arg(0), *listen, *secretFile, *fetch); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, path, listen, secretFile string, fetch bool) error {
	s := &server{fetch: fetch, pushed: make(chan struct{}, 1)}
	if secretFile != "" {
		secret, err := os.ReadFile(secretFile)
		if err != nil {
			return err
		}
		if s.secret = bytes.TrimSpace(secret); len(s.secret) == 0 {
			return fmt.Errorf("%s is empty", secretFile)
		}
	}
	var err error
	if s.engine, err = tinyci.Open(path); err != nil {
		return err
	}
	defer s.engine.Close()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	log.Printf("listening on http://%s/push for %s", listener.Addr(), s.engine.Path())

	mux := http.NewServeMux()
	mux.HandleFunc("/push", s.push)
	mux.HandleFunc("/log", s.follow)
	mux.HandleFunc("/", s.results)
	// Requests that follow a run end with the program, too.
	base := func(net.Listener) context.Context { return ctx }
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: base}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	// Test the pushes that came while the program was not running.
	s.pushed <- struct{}{}
	for {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			log.Print("stopping")
			return web.Close()
		case <-s.pushed:
			s.runPending(ctx)
		}
	}
}

// runPending tests the pending commits. After an error, the next push tries again.
func (s *server) runPending(ctx context.Context) {
	if s.fetch {
		fetch := exec.CommandContext(ctx, "git", "-C", s.engine.Path(), "fetch", "--quiet", "--prune",
			"origin", "+refs/heads/*:refs/heads/*")
		if out, err := fetch.CombinedOutput(); err != nil {
			log.Printf("git fetch: %v: %s", err, out)
		}
	}
	run := s.engine.Run(ctx, tinyci.Pending)
	defer run.Close()
	for run.Next() {
		switch event := run.Event().(type) {
		case tinyci.JobStarted:
			log.Printf("%.10s %s", event.Commit, event.Details.Subject)
		case tinyci.JobFinished:
			log.Printf("%.10s %s in %v", event.Commit, event.Outcome, event.Record.Duration)
		case tinyci.Warning:
			log.Print(event.Message)
		}
	}
	// If another run is active, it checks for new commits before it ends.
	if err := run.Err(); err != nil && !errors.Is(err, tinyci.ErrBusy) {
		log.Print(err)
	}
}

// push handles a webhook.
func (s *server) push(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 25<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if s.secret != nil && !s.signed(body, r.Header.Get("X-Hub-Signature-256")) {
		http.Error(w, "invalid signature", http.StatusForbidden)
		return
	}
	select {
	case s.pushed <- struct{}{}:
	default:
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *server) signed(body []byte, signature string) bool {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write(body)
	return hmac.Equal([]byte("sha256="+hex.EncodeToString(mac.Sum(nil))), []byte(signature))
}

// results lists the outcomes of the newest commits.
func (s *server) results(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	records, err := s.engine.Records(tinyci.RecordFilter{Limit: 20})
	if err != nil {
		log.Print(err)
		http.Error(w, "cannot read the results", http.StatusInternalServerError)
		return
	}
	for _, record := range records {
		fmt.Fprintf(w, "%.10s %-10s %8v %s\n", record.Commit, record.Outcome, record.Duration, record.Branch)
	}
}

// follow sends the output of a run until it ends or the client disconnects.
func (s *server) follow(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	run := s.engine.Follow(r.Context(), tinyci.Pending)
	defer run.Close()
	for run.Next() {
		if output, ok := run.Event().(tinyci.Output); ok {
			if _, err := w.Write(output.Data); err != nil {
				return
			}
			if flusher, ok := w.(http.Flusher); ok {
				flusher.Flush()
			}
		}
	}
}
