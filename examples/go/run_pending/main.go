// Command run_pending tests all pending commits of a repository, shows the output, and prints the
// outcome of each commit. Ctrl-C stops it.
//
//	go run ./run_pending /srv/git/app.git
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"tinyci"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	freeze := func(h *tinyci.Hook) error { return h.SetVar("release", "42") }
	engine, err := tinyci.Open(os.Args[1], tinyci.Jobs(2), tinyci.OnHook("before_build", freeze))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	run := engine.Run(ctx, tinyci.Pending)
	for run.Next() {
		if out, ok := run.Event().(tinyci.Output); ok {
			os.Stdout.Write(out.Data)
		}
	}
	for _, record := range run.Records() {
		fmt.Println(record.Commit, record.Outcome)
	}
	if err := run.Err(); err != nil {
		log.Fatal(err)
	}
}
