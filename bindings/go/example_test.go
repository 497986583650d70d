package tinyci_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"tinyci"
)

func Example() {
	engine, err := tinyci.Open("/srv/git/app.git", tinyci.Jobs(2))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	run := engine.Run(ctx, tinyci.Pending)
	defer run.Close()
	for run.Next() {
		switch event := run.Event().(type) {
		case tinyci.Output:
			os.Stdout.Write(event.Data)
		case tinyci.JobFinished:
			fmt.Println(event.Commit, event.Outcome)
		}
	}
	if err := run.Err(); errors.Is(err, tinyci.ErrBusy) {
		fmt.Println("another run will look at it")
	} else if err != nil {
		log.Print(err)
	}
}

func ExampleFunction() {
	versions := tinyci.Function("version_of", 1, 2, tinyci.Pure, "The version of a package in a channel.",
		func(c *tinyci.Call) (any, error) {
			name, channel := "", "stable"
			if err := c.Scan(&name, &channel); err != nil {
				return nil, err
			}
			if name != "app" {
				return nil, tinyci.Refuse("%s has no package %q", channel, name)
			}
			return map[string]any{"major": 4, "minor": 2}, nil
		})
	engine, err := tinyci.Open("/srv/git/app.git", versions)
	if err != nil {
		log.Fatal(err)
	}
	engine.Close()
}

func ExampleExecutor() {
	inContainer := tinyci.Executor(func(c *tinyci.Command) (tinyci.Exit, error) {
		cmd := exec.Command("podman", "exec", "--interactive", "builder", "/bin/sh", "-c", c.Shell)
		cmd.Stdout, cmd.Stderr = c.Stdout, c.Stderr
		return c.Run(cmd)
	})
	engine, err := tinyci.Open("/srv/git/app.git", inContainer)
	if err != nil {
		log.Fatal(err)
	}
	engine.Close()
}

func ExampleInterpolate() {
	text, err := tinyci.Interpolate("make release VERSION=<%= version %>", map[string]string{"version": "4.2"})
	fmt.Println(text, err)
	// Output: make release VERSION=4.2 <nil>
}

func ExampleEngine_Records() {
	engine, err := tinyci.Open("/srv/git/app.git")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	green, err := engine.Records(tinyci.RecordFilter{Outcome: tinyci.Success, Limit: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, record := range green {
		fmt.Println("the newest commit that passed is", record.Commit)
	}
}
