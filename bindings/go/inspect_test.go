package tinyci_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tinyci"
)

func TestARepositoryIsDiscoveredAndTellsOfItself(t *testing.T) {
	r := with(t, "build: make\n")
	r.git("config", "tinyci.jobz", "2")
	r.git("remote", "add", "origin", "/srv/git/app.git")
	below := filepath.Join(r.path, "below")
	must(t, os.Mkdir(below, 0o755))
	_, err := tinyci.Open(below)
	check(t, "open", errors.Is(err, tinyci.ErrNotARepo), true)
	engine, err := tinyci.Discover(below, tinyci.Jobs(2))
	must(t, err)
	defer engine.Close()
	path, err := filepath.EvalSymlinks(r.path)
	must(t, err)
	check(t, "path", engine.Path(), path)
	check(t, "bare", engine.IsBare(), false)
	warnings, err := engine.Warnings()
	must(t, err)
	check(t, "warnings", strings.Contains(strings.Join(warnings, "\n"), "tinyci.jobz"), true)
	url, err := engine.RemoteURL("")
	must(t, err)
	check(t, "url", url, "/srv/git/app.git")
	_, err = engine.RemoteURL("upstream")
	check(t, "no remote", errors.Is(err, tinyci.ErrNotFound), true)
}

func TestCommitsAreFoundByRevisions(t *testing.T) {
	r := newRepository(t)
	first := r.commit(".tinyci.yml", "build: make\n")
	second := r.commit(".tinyci.yml", "build: make all\n")
	engine := r.open()
	id, err := engine.Resolve("HEAD~1")
	must(t, err)
	check(t, "id", id, first)
	commits, err := engine.Commits("HEAD", "HEAD~1")
	must(t, err)
	check(t, "ids", commits[0].ID+" "+commits[1].ID, second+" "+first)
	commit, err := engine.Commit("HEAD")
	must(t, err)
	check(t, "parents", strings.Join(commit.Parents, " "), first)
	check(t, "author", commit.Author, "Ada <ada@example.org>")
	check(t, "message", strings.HasPrefix(commit.Message, commit.Subject), true)
	_, err = engine.Resolve("nowhere")
	check(t, "nowhere", errors.Is(err, tinyci.ErrNotFound), true)
	_, err = engine.Commit("HEAD\nHEAD")
	check(t, "two", errors.Is(err, tinyci.ErrInvalidArg), true)
}

func logLines(t *testing.T, run *tinyci.Run) (lines []string) {
	t.Helper()
	for run.Next() {
		lines = append(lines, string(run.Event().(tinyci.Output).Data))
	}
	must(t, run.Err())
	return lines
}

func TestLogsAreRead(t *testing.T) {
	engine := with(t, "build: echo built\n").open()
	ctx := context.Background()
	early := engine.Log(ctx, tinyci.LogOptions{Revision: "HEAD"})
	check(t, "no log", early.Next(), false)
	check(t, "no log", errors.Is(early.Err(), tinyci.ErrNotFound), true)
	run := engine.Run(ctx, tinyci.Pending)
	for run.Next() {
	}
	must(t, run.Err())
	var summary struct{ Records []struct{ Outcome string } }
	must(t, json.Unmarshal(run.Summary(), &summary))
	check(t, "summary", summary.Records[0].Outcome, "success")
	whole := logLines(t, engine.Log(ctx, tinyci.LogOptions{Revision: "HEAD"}))
	check(t, "whole", strings.Contains(strings.Join(whole, ""), "built\n"), true)
	last := logLines(t, engine.Log(ctx, tinyci.LogOptions{Revision: "HEAD", Last: 1}))
	check(t, "last", strings.Join(last, ""), whole[len(whole)-1])
	check(t, "none", len(logLines(t, engine.Log(ctx, tinyci.LogOptions{Last: -1}))), 0)
	followed := logLines(t, engine.Log(ctx, tinyci.LogOptions{Revision: "HEAD", Follow: true}))
	check(t, "followed", len(followed), len(whole))
	following := engine.Log(ctx, tinyci.LogOptions{Last: 1, Follow: true})
	check(t, "following", following.Next(), true)
	following.Cancel()
	check(t, "canceled", following.Next(), false)
}

const askingScript = `fn build(ctx) { sh(["echo", capture("uname -s")]); }
fn deploy(ctx) { sh(["echo", "on", capture("date")]); }
`

func TestScriptsAreConvertedCheckedAndTested(t *testing.T) {
	r := with(t, "build: make\n")
	today := func(*tinyci.Call) (any, error) { return "Monday", nil }
	engine := r.open(tinyci.Function("today", 0, 0, tinyci.Pure, "", today))
	pipeline, err := engine.Pipeline("HEAD")
	must(t, err)
	script, err := pipeline.ToRhai()
	must(t, err)
	check(t, "script", strings.Contains(script, "make"), true)
	page, err := engine.Definitions(tinyci.DefinitionsMarkdown)
	must(t, err)
	check(t, "own", strings.Contains(page, "today("), true)
	page, err = tinyci.Definitions(tinyci.DefinitionsMarkdown)
	must(t, err)
	check(t, "nobody's", strings.Contains(page, "today("), false)
	_, err = tinyci.Definitions(0)
	check(t, "no format", errors.Is(err, tinyci.ErrInvalidArg), true)
	r.git("rm", "-q", ".tinyci.yml")
	r.commit("lib.rhai", "fn make() { }\n")
	r.commit(".tinyci.test.rhai", "fn test_right(t) { t.fake(\"uname*\", \"v1\"); t.expect(t.run().ok); }\n"+
		"fn test_wrong(t) { throw \"wrong\"; }\n")
	r.commit(".tinyci.rhai", askingScript)
	report, err := engine.TestPipeline(tinyci.TestOptions{Revision: "HEAD", Coverage: true})
	must(t, err)
	check(t, "passed", report.Passed, false)
	check(t, "failure", strings.Contains(report.Tests[1].Failure.Message, "wrong"), true)
	check(t, "coverage", strings.Contains(string(report.JSON), "coverage"), true)
	for _, dir := range []string{"", r.path} {
		report, err := engine.TestPipeline(tinyci.TestOptions{Dir: dir, Filters: []string{"right"}})
		must(t, err)
		check(t, "filtered", report.Passed && report.FilteredOut == 1, true)
	}
	importing := "import \"lib\" as lib;\nfn build(ctx) { lib::make(); }\n"
	for revision, valid := range map[string]bool{"HEAD": true, "HEAD~3": false} {
		found, err := engine.CheckTextIn(revision, importing, tinyci.Rhai, "a.rhai")
		must(t, err)
		check(t, revision, found.Valid, valid)
	}
}

func TestPlansAssumeOutputAndItIsKnownWhatIsDeployed(t *testing.T) {
	r := newRepository(t)
	r.commit(".tinyci.rhai", askingScript)
	r.git("notes", "--ref", "runs/tinyci", "add", "-m", "damaged", "HEAD")
	engine := r.open()
	lines, err := engine.UnrecognizedLines("HEAD")
	must(t, err)
	check(t, "lines", strings.Join(lines, "\n"), "damaged")
	plan, err := engine.Plan(tinyci.Selection{
		Revisions: []string{"HEAD"},
		Assume:    []tinyci.Assumption{{Command: "uname*", Output: "v7"}, {Command: "*", Output: "v8"}},
	})
	must(t, err)
	check(t, "plan", strings.Contains(string(plan.JSON), "echo v7"), true)
	run := engine.Run(context.Background(), tinyci.Pending)
	for run.Next() {
	}
	must(t, run.Err())
	assumed := tinyci.DeployRequest{Assume: []tinyci.Assumption{{Command: "date", Output: "Monday"}}}
	planned, err := engine.DeployPlan("", assumed)
	must(t, err)
	check(t, "planned", strings.Contains(string(planned.JSON), "on Monday"), true)
	deployed, err := engine.Deployed("")
	must(t, err)
	check(t, "nothing", deployed == nil, true)
	run = engine.Deploy(context.Background(), "", tinyci.DeployRequest{})
	for run.Next() {
	}
	must(t, run.Err())
	check(t, "no summary", run.Summary() == nil, true)
	deployed, err = engine.Deployed("production")
	must(t, err)
	check(t, "deployed", deployed.Outcome, tinyci.Success)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
