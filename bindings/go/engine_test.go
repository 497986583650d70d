package tinyci_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tinyci"
)

func TestErrorsSayWhatWhereAndWhy(t *testing.T) {
	_, err := tinyci.Open(filepath.Join(t.TempDir(), "nothing"))
	var failed *tinyci.Error
	if !errors.As(err, &failed) || !errors.Is(err, tinyci.ErrNotARepo) || errors.Is(err, tinyci.ErrGit) {
		t.Fatalf("%#v", err)
	}
	if failed.File == "" || !strings.Contains(failed.Message, "nothing") || failed.Error() != failed.Message {
		t.Errorf("%+v", failed)
	}
	_, err = tinyci.ParsePipeline("build: [", tinyci.YAML, "nightly.yml")
	if !errors.As(err, &failed) || failed.Code != tinyci.ErrConfig || failed.File != "nightly.yml" || failed.Line == 0 {
		t.Errorf("%+v", failed)
	}
	check(t, "name", tinyci.ErrNotFound.Error(), "not_found")
	check(t, "unknown", tinyci.Code(-99).Error(), "code -99")
	check(t, "outcome", fmt.Sprint(tinyci.TimedOut, tinyci.Outcome(99), tinyci.Outcome(99).Passed()), "timed_out outcome 99 false")
	var outcome tinyci.Outcome
	check(t, "json", json.Unmarshal([]byte(`"of a later version"`), &outcome), nil)
	check(t, "passed", outcome.Passed(), false)
}

func TestAnEngineStaysThatOfItsRepositoryWhereverTheProgramGoes(t *testing.T) {
	around := map[string]string{}
	repos := map[string]*repository{}
	for _, word := range []string{"here", "there"} {
		repo := with(t, "build: echo built "+word+"\ndeploy: echo deployed "+word+"\n")
		repo.commit("mark", word)
		around[word], repos[word] = t.TempDir(), repo
		check(t, "link", os.Symlink(repo.path, filepath.Join(around[word], "app")), nil)
	}
	before, err := os.Getwd()
	check(t, "the directory", err, nil)
	t.Cleanup(func() { check(t, "back", os.Chdir(before), nil) })
	check(t, "here", os.Chdir(around["here"]), nil)
	engine, err := tinyci.Open("app")
	check(t, "open", err, nil)
	defer engine.Close()
	check(t, "there", os.Chdir(around["there"]), nil)

	check(t, "path", engine.Path(), repos["here"].path)
	plan, err := engine.Plan(tinyci.Revisions("HEAD"))
	check(t, "plan", err, nil)
	if !strings.Contains(fmt.Sprint(plan), repos["here"].git("rev-parse", "HEAD")) {
		t.Errorf("%v", plan)
	}
	check(t, "run", pull(engine.Run(context.Background(), tinyci.Revisions("HEAD"))), "built here\n")
	check(t, "deployment", pull(engine.Deploy(context.Background(), "", tinyci.DeployRequest{})), "deployed here\n")
	check(t, "export", engine.Export(context.Background(), "HEAD", "out"), nil)
	mark, err := os.ReadFile(filepath.Join(around["there"], "out", "mark"))
	check(t, "mark", err, nil)
	check(t, "mark", string(mark), "here")
	_, err = os.Stat(filepath.Join(repos["there"].path, "builds"))
	check(t, "the other one is left alone", errors.Is(err, os.ErrNotExist), true)
}

func TestTheFirstMistakeInOptionsIsReported(t *testing.T) {
	repo := with(t, "build: ':'\n")
	noHook := func(*tinyci.Hook) error { return nil }
	for word, option := range map[string]tinyci.Option{
		"Jobs(0)":            tinyci.Jobs(0),
		"Jobs(-1)":           tinyci.Jobs(-1),
		"timeout_ms":         tinyci.JobTimeout(-time.Second),
		"LogLimit":           tinyci.LogLimit(0),
		"noon":               tinyci.OnHook("noon", noHook),
		"NUL":                tinyci.Env("A", "a\x00b"),
		"=":                  tinyci.Env("A=B", ""),
		"commit":             tinyci.Var("commit", "x"),
		"no-such-key":        tinyci.Setting("no-such-key", "x"),
		"the ref\x00":        tinyci.Refs("the ref\x00"),
		"expected 0 to 8":    tinyci.Function("f", 0, 9, tinyci.Pure, "", nil),
		"expected 0 or more": tinyci.Function("f", -1, 1, tinyci.Pure, "", nil),
		"the unset\x00":      tinyci.UnsetEnv("the unset\x00"),
		"the builds\x00":     tinyci.BuildsDir("the builds\x00"),
	} {
		_, err := tinyci.Open(repo.path, option)
		word = strings.TrimSuffix(word, "\x00")
		if !errors.Is(err, tinyci.ErrInvalidArg) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
	_, err := tinyci.Open(repo.path, tinyci.Env("first=", ""), tinyci.Jobs(0))
	check(t, "the first", strings.Contains(fmt.Sprint(err), "first="), true)
	_, err = tinyci.Open("a\x00b")
	check(t, "path", errors.Is(err, tinyci.ErrInvalidArg), true)
}

func TestOptionsReachTheRun(t *testing.T) {
	repo := with(t, "build: 'echo $WHO <%= what %>; pwd'\n")
	repo.git("branch", "left-alone")
	builds := t.TempDir()
	engine := repo.open(tinyci.Refs("refs/heads/main"), tinyci.Jobs(1), tinyci.JobTimeout(time.Minute),
		tinyci.BuildsDir(builds), tinyci.LogLimit(1<<20), tinyci.Setting("gracePeriod", "1s"),
		tinyci.Env("WHO", "ada"), tinyci.Var("what", "lace"))
	output := green(t, engine)
	if !strings.HasPrefix(output, "ada lace\n"+builds) {
		t.Error(output)
	}
	check(t, "path", engine.Path(), repo.path)
}

func TestAScanFindsWhatIsDue(t *testing.T) {
	repo := with(t, "build: ':'\n")
	repo.git("commit", "-q", "--allow-empty", "-m", "naïve 'subject'")
	head := repo.git("rev-parse", "HEAD")
	engine := repo.open()
	commits, err := engine.PendingCommits(tinyci.Pending)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "number", len(commits), 2)
	last := commits[1]
	check(t, "id", last.ID, head)
	check(t, "tree", last.Tree, repo.git("rev-parse", "HEAD^{tree}"))
	check(t, "branch", last.Branch, "main")
	check(t, "subject", last.Subject, "naïve 'subject'")
	check(t, "time", fmt.Sprint(last.Time.Unix()), repo.git("log", "-1", "--format=%ct"))
	for name, selection := range map[string]tinyci.Selection{
		"range":  {Ranges: []string{"HEAD~1..HEAD"}},
		"named":  tinyci.Revisions("HEAD"),
		"update": {Updates: []tinyci.Update{{Old: strings.Repeat("0", 40), New: head, Ref: "refs/heads/main"}}},
		"lines":  {HookLines: []byte(strings.Repeat("0", 40) + " " + head + " refs/heads/main\n")},
		"all":    {AllHistory: true, Retry: true, Wait: time.Nanosecond},
	} {
		commits, err := engine.PendingCommits(selection)
		if err != nil || len(commits) == 0 || commits[len(commits)-1].ID != head {
			t.Errorf("%s: %v %v", name, commits, err)
		}
	}
	for name, selection := range map[string]tinyci.Selection{
		"no commit": tinyci.Revisions("no-such-thing"),
		"no range":  {Ranges: []string{"a\x00..b"}},
		"no lines":  {HookLines: []byte("nonsense\n")},
		"no update": {Updates: []tinyci.Update{{Old: "x", New: "y", Ref: "z"}}},
	} {
		if _, err := engine.PendingCommits(selection); err == nil {
			t.Errorf("%s: no error", name)
		}
		if run := engine.Run(context.Background(), selection); run.Next() || run.Err() == nil {
			t.Errorf("%s: no error of a run", name)
		}
	}
}

func TestReportsAreGosOwnValues(t *testing.T) {
	repo := with(t, "build: exit 3\n")
	engine := repo.open()
	plan, err := engine.Plan(tinyci.Pending)
	if err != nil {
		t.Fatal(err)
	}
	head := repo.git("rev-parse", "HEAD")
	check(t, "job", plan.Jobs[0].Commit.ID, head)
	check(t, "json", json.Valid(plan.JSON), true)
	valid, err := engine.Check("HEAD")
	if err != nil || !valid.Valid || len(valid.Problems) != 0 || !json.Valid(valid.JSON) {
		t.Errorf("%+v %v", valid, err)
	}
	invalid, err := engine.CheckText("build: [", tinyci.YAML, "draft.yml")
	if err != nil || invalid.Valid || invalid.Problems[0].Line == 0 || invalid.Problems[0].Message == "" ||
		invalid.Problems[0].Severity != "error" {
		t.Errorf("%+v %v", invalid, err)
	}
	if _, err = engine.Check("no-such-thing"); !errors.Is(err, tinyci.ErrNotFound) {
		t.Errorf("%v", err)
	}
	for n := 0; n < 2; n++ {
		pull(engine.Run(context.Background(), tinyci.Selection{Revisions: []string{"HEAD"}, Retry: n > 0}))
	}
	results, err := engine.Results(tinyci.RecordFilter{}, false)
	if err != nil || len(results) != 1 || results[0].Outcome != tinyci.Failure || results[0].Commit != head {
		t.Errorf("%+v %v", results, err)
	}
	results, err = engine.Results(tinyci.RecordFilter{Selection: tinyci.Revisions("HEAD"), Limit: 9}, true)
	if err != nil || len(results) != 2 || results[0].Steps[0].Commands[0].ExitCode != 3 {
		t.Errorf("%+v %v", results, err)
	}
}

func TestRecordsAreAskedFor(t *testing.T) {
	repo := with(t, "build: ':'\n")
	engine := repo.open()
	green(t, engine)
	red := repo.commit(".tinyci.yml", "build: exit 1\n")
	pull(engine.Run(context.Background(), tinyci.Pending))
	all, err := engine.Records(tinyci.RecordFilter{})
	if err != nil || len(all) != 2 || all[0].Commit != red {
		t.Fatalf("%+v %v", all, err)
	}
	passed, err := engine.Records(tinyci.RecordFilter{Outcome: tinyci.Success, Limit: 1})
	if err != nil || len(passed) != 1 || !passed[0].Passed || passed[0].Outcome != tinyci.Success {
		t.Errorf("%+v %v", passed, err)
	}
	record := passed[0]
	if record.Started.IsZero() || record.Finished.Before(record.Started) || record.Duration < 0 ||
		record.Tree == "" || record.Machine == "" || record.JobID == "" || !json.Valid(record.JSON) {
		t.Errorf("%+v", record)
	}
	named, err := engine.Records(tinyci.RecordFilter{Selection: tinyci.Revisions(red)})
	if err != nil || len(named) != 1 || named[0].Passed {
		t.Errorf("%+v %v", named, err)
	}
	if _, err := engine.Records(tinyci.RecordFilter{Outcome: 99}); !errors.Is(err, tinyci.ErrInvalidArg) {
		t.Errorf("%v", err)
	}
}

func TestABranchThatIsNotUTF8ComesAsItIs(t *testing.T) {
	repo := newRepository(t)
	repo.git("checkout", "-q", "-b", "caf\xe9")
	repo.commit(".tinyci.yml", "build: ':'\n")
	engine := repo.open()
	commits, err := engine.PendingCommits(tinyci.Pending)
	if err != nil || commits[0].Branch != "caf\xe9" {
		t.Errorf("%+v %v", commits, err)
	}
	green(t, engine)
	records, err := engine.Records(tinyci.RecordFilter{})
	if err != nil || records[0].Branch != "caf\xe9" {
		t.Errorf("%+v %v", records, err)
	}
}

func TestAPipelineInMemoryJudgesInThePlaceOfTheConfig(t *testing.T) {
	repo := with(t, "build: exit 1\n")
	engine := repo.open()
	own, err := engine.Pipeline("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "steps", own.Steps(), []string{"build"})
	nightly, err := tinyci.ParsePipeline("build: echo nightly\ntest: ':'\n", tinyci.YAML, "nightly.yml")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "steps", nightly.Steps(), []string{"build", "test"})
	run := engine.Run(context.Background(), tinyci.Selection{Revisions: []string{"HEAD"}, Pipeline: nightly})
	check(t, "output", pull(run), "nightly\n")
	check(t, "outcome", run.Outcome(), tinyci.Success)
	_, err = engine.Pipeline("no-such-thing")
	check(t, "not found", errors.Is(err, tinyci.ErrNotFound), true)
	if tinyci.HasFeature("rhai") {
		registered := repo.open(tinyci.Function("give", 0, 0, tinyci.Pure, "", func(*tinyci.Call) (any, error) { return 1, nil }))
		if _, err = registered.ParsePipeline("fn build() { give(); }", tinyci.Rhai, "nightly.rhai"); err != nil {
			t.Error(err)
		}
	}
}

func TestTagsAreFilledIn(t *testing.T) {
	text, err := tinyci.Interpolate("make <%= what %> <%% tag", map[string]string{"what": "all"})
	check(t, "text", text, "make all <% tag")
	check(t, "error", err, nil)
	_, err = tinyci.Interpolate("make\n <%= nothing %>", nil)
	var failed *tinyci.Error
	if !errors.As(err, &failed) || failed.Code != tinyci.ErrInterpolate || failed.Line != 2 {
		t.Errorf("%+v", err)
	}
	for name, value := range map[string]string{"a b": "", "a": "\x00", "": ""} {
		if _, err = tinyci.Interpolate("", map[string]string{name: value}); !errors.Is(err, tinyci.ErrInvalidArg) {
			t.Errorf("%q=%q: %v", name, value, err)
		}
	}
}

func TestACommitIsExported(t *testing.T) {
	repo := with(t, "build: ':'\n")
	engine := repo.open()
	dir := filepath.Join(t.TempDir(), "tree")
	check(t, "error", engine.Export(context.Background(), "HEAD", dir), nil)
	check(t, "file", exists(filepath.Join(dir, ".tinyci.yml")), true)
	err := engine.Export(context.Background(), "HEAD", dir)
	check(t, "not empty", errors.Is(err, tinyci.ErrInvalidArg), true)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	check(t, "canceled", engine.Export(ctx, "HEAD", dir+"2"), context.Canceled)
	check(t, "nothing left", exists(dir+"2"), false)
}

func TestTheHookIsInstalledAndTakenOut(t *testing.T) {
	repo := with(t, "build: ':'\n")
	engine := repo.open()
	hook := filepath.Join(repo.path, ".git/hooks/post-receive")
	if _, err := engine.Install(tinyci.Installation{Command: "/usr/local/bin/tinyci", HideRefs: true, SharedHooks: true}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(hook)
	if err != nil || !strings.Contains(string(text), "/usr/local/bin/tinyci") {
		t.Errorf("%s %v", text, err)
	}
	if !strings.Contains(repo.git("config", "--get-all", "receive.hideRefs"), "refs/") {
		t.Error("the refs are not hidden")
	}
	if _, err = engine.Uninstall(); err != nil {
		t.Error(err)
	}
	check(t, "hook", exists(hook), false)
}

func TestCommitsAreCanceledAndSkippedByName(t *testing.T) {
	repo := with(t, "build: echo going; exec sleep 600\n")
	hung := repo.git("rev-parse", "HEAD")
	engine := repo.open()
	ctx := context.Background()
	run := engine.Run(ctx, tinyci.Pending)
	for run.Next() {
		if _, ok := run.Event().(tinyci.Output); !ok {
			continue
		}
		done, err := engine.Cancel(ctx, tinyci.CancelRequest{
			Revision: hung, Reason: "it hangs", ByName: "Ada", ByAddress: "ada@example.org", NoWait: true,
		})
		check(t, "error", err, nil)
		check(t, "jobs", len(done.Jobs), 1)
		check(t, "commit", done.Jobs[0].Commit, hung)
	}
	check(t, "outcome", run.Records()[0].Outcome, tinyci.Canceled)
	for _, request := range []tinyci.CancelRequest{{}, {Revision: hung, Kill: true}} {
		if _, err := engine.Cancel(ctx, request); !errors.Is(err, tinyci.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	record, err := engine.Skip(ctx, tinyci.SkipRequest{Revision: hung, ByName: "Ada", ByAddress: "a@b"})
	if err != nil || !strings.Contains(string(record), `"intervention":{"kind":"skip","by":"Ada <a@b>",`) {
		t.Errorf("%s %v", record, err)
	}
	if _, err := engine.Skip(ctx, tinyci.SkipRequest{Revision: hung}); !errors.Is(err, tinyci.ErrInvalidArg) {
		t.Errorf("%v", err)
	}
	repo.commit("more", "x")
	lines := hung + " " + repo.git("rev-parse", "HEAD") + " refs/heads/main\n"
	run = engine.Run(ctx, tinyci.Selection{HookLines: []byte(lines), PushOptions: []string{"ci.skip"}})
	for run.Next() {
	}
	check(t, "outcome", run.Records()[0].Outcome, tinyci.Skipped)
}

func TestArtifactsAreListedAndCopied(t *testing.T) {
	repo := with(t, "build: ':'\n")
	repo.git("rm", "-q", ".tinyci.yml")
	repo.commit(".tinyci.rhai", `fn build() { sh("mkdir d; echo a > d/a; echo b > d/b"); artifact("d"); }`)
	engine := repo.open()
	if _, err := engine.Artifacts("HEAD", tinyci.ArtifactQuery{}); err == nil {
		t.Error("nothing was kept yet")
	}
	run := engine.Run(context.Background(), tinyci.Selection{Revisions: []string{"HEAD"}})
	for run.Next() {
	}
	kept, err := engine.Artifacts("HEAD", tinyci.ArtifactQuery{})
	if err != nil || len(kept.Artifacts) != 2 || kept.Artifacts[0].Path != "d/a" {
		t.Fatalf("%v %v", kept, err)
	}
	out := filepath.Join(t.TempDir(), "out")
	some := tinyci.ArtifactQuery{JobID: kept.JobID, Paths: []string{"d/b"}}
	copied, err := engine.CopyArtifacts(context.Background(), "HEAD", out, some)
	if err != nil || len(copied.Artifacts) != 1 || !exists(filepath.Join(out, "d/b")) {
		t.Fatalf("%v %v", copied, err)
	}
	if _, err := engine.CopyArtifacts(context.Background(), "HEAD", out, tinyci.ArtifactQuery{}); err == nil {
		t.Error("a file that exists was replaced")
	}
	if _, err := engine.CopyArtifacts(context.Background(), "HEAD", out, tinyci.ArtifactQuery{Force: true}); err != nil {
		t.Error(err)
	}
}

func TestAStepIsRunByHand(t *testing.T) {
	repo := with(t, "build: echo built\ntest: 'false'\n")
	engine := repo.open()
	for _, run := range []*tinyci.Run{
		engine.RunStep(context.Background(), "HEAD", "build", "test"),
		engine.RunStepKeeping(context.Background(), "HEAD", "test"),
	} {
		for run.Next() {
		}
		check(t, "outcome", run.Records()[0].Outcome, tinyci.Failure)
	}
	commits, _ := engine.PendingCommits(tinyci.Pending)
	check(t, "commits that are due", len(commits), 1)
	refused := engine.RunStep(context.Background(), "HEAD", "deploy")
	for refused.Next() {
	}
	if refused.Err() == nil {
		t.Error("deploy was run by hand")
	}
}

func TestOldBuildsArePackedAndVerdictsForgotten(t *testing.T) {
	repo := with(t, "build: ':'\n")
	first := repo.git("rev-parse", "HEAD")
	repo.commit("more", "x")
	repo.commit("more", "xx")
	engine := repo.open()
	green(t, engine)
	packed, err := engine.Compact(context.Background(), 1, first)
	if err != nil || len(packed.Compacted) != 1 || len(packed.NotRemoved) != 0 {
		t.Fatalf("%v %v", packed, err)
	}
	if archive := packed.Compacted[0].Archive; !exists(archive) || strings.Contains(archive, first) {
		t.Errorf("%v", archive)
	}
	for _, want := range []bool{true, false} {
		had, err := engine.Forget("HEAD")
		check(t, "had a verdict", had, want)
		check(t, "error", err, nil)
	}
	commits, _ := engine.PendingCommits(tinyci.Pending)
	check(t, "due again", len(commits), 1)
	if _, err = engine.Forget("no-such-thing"); !errors.Is(err, tinyci.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if forgotten, err := engine.ForgetAll(); err != nil || len(forgotten.Removed) == 0 {
		t.Errorf("ForgetAll() = %v, %v", forgotten, err)
	}
}
