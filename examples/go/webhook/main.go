// Command webhook runs the commits of a repository when a forge says that there are new ones:
//
//	webhook -listen 127.0.0.1:8000 -secret-file /etc/webhook.secret -fetch /srv/git/app.git
//
// A POST to /push is answered at once, and has all that is pending run; with -secret-file it needs the
// X-Hub-Signature-256 that GitHub, Gitea and others send. -fetch gets the branches of the remote
// origin before. GET / lists what became of the newest commits, GET /log shows the run as it goes.
// SIGINT and SIGTERM stop the running commands, and the program.
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

// A server runs what is pushed to one repository, a run at a time.
type server struct {
	engine *tinyci.Engine
	secret []byte
	fetch  bool
	// pushed holds one push at most: a run looks for all that is pending.
	pushed chan struct{}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8000", "`address` to listen on")
	secretFile := flag.String("secret-file", "", "`file` that holds the secret of the webhook")
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
			return fmt.Errorf("%s holds no secret", secretFile)
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
	// What follows a run ends with the program, too.
	base := func(net.Listener) context.Context { return ctx }
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: base}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	// What was pushed while nobody listened.
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

// runPending runs what is due. What goes wrong waits for the next push.
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
	// Busy is good news: whoever runs looks again before it ends.
	if err := run.Err(); err != nil && !errors.Is(err, tinyci.ErrBusy) {
		log.Print(err)
	}
}

// push takes a webhook.
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
		http.Error(w, "the signature is not the secret's", http.StatusForbidden)
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

// results lists what became of the newest commits.
func (s *server) results(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	records, err := s.engine.Records(tinyci.RecordFilter{Limit: 20})
	if err != nil {
		log.Print(err)
		http.Error(w, "the results cannot be read", http.StatusInternalServerError)
		return
	}
	for _, record := range records {
		fmt.Fprintf(w, "%.10s %-10s %8v %s\n", record.Commit, record.Outcome, record.Duration, record.Branch)
	}
}

// follow shows what a run writes, until it ends or the client hangs up.
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
