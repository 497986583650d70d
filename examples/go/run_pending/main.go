// Command run_pending runs all pending commits of a repository, shows what their commands write, and
// prints a line for each: go run ./run_pending /srv/git/app.git. Ctrl-C stops it.
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
