package tinyci_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tinyci"
)

// deployable is a repository whose one commit is green, and can be deployed.
func deployable(t *testing.T, config string) (*repository, *tinyci.Engine) {
	t.Helper()
	repo := with(t, config)
	repo.git("config", "user.name", "Ada")
	repo.git("config", "user.email", "ada@example.org")
	engine := repo.open()
	green(t, engine)
	return repo, engine
}

func TestADeploymentIsPlannedCarriedOutAndRolledBack(t *testing.T) {
	repo, engine := deployable(t, "build: ':'\ndeploy: echo deploying\n")
	first := repo.git("rev-parse", "HEAD")
	plan, err := engine.DeployPlan("", tinyci.DeployRequest{})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "environment", plan.Environment, "production")
	check(t, "commit", plan.Commit.ID, first)
	check(t, "action", plan.Steps[0].Actions[0].Command, "echo deploying")
	check(t, "running", plan.Deployed == nil && json.Valid(plan.JSON), true)
	run := engine.Deploy(context.Background(), "", tinyci.DeployRequest{Plan: plan, ByName: "Grace", ByAddress: "grace@example.org"})
	var kinds []string
	for run.Next() {
		switch event := run.Event().(type) {
		case tinyci.DeployStarted:
			kinds = append(kinds, "started "+event.Deployment.Environment)
		case tinyci.DeployFinished:
			kinds = append(kinds, "finished "+event.Outcome.String())
		case tinyci.Output:
			kinds = append(kinds, string(event.Data))
		}
	}
	check(t, "error", run.Err(), nil)
	check(t, "events", strings.Join(kinds, ", "), "started production, deploying\n, finished success")
	deployment := run.Deployment()
	check(t, "deployed", deployment.Commit, first)
	check(t, "outcome", deployment.Outcome, tinyci.Success)
	check(t, "by", strings.HasPrefix(deployment.DeployedBy, "Grace"), true)

	second := repo.commit("more", "x")
	green(t, engine)
	run = engine.Deploy(context.Background(), "production", tinyci.DeployRequest{Revision: "HEAD"})
	pull(run)
	check(t, "second", run.Deployment().Commit, second)
	check(t, "from", run.Deployment().Previous, first)
	run = engine.Rollback(context.Background(), "")
	pull(run)
	check(t, "rolled back", run.Deployment().Commit, first)
	deployments, warnings, err := engine.Deployments("", 0)
	if err != nil || len(deployments) != 3 || len(warnings) != 0 || !deployments[0].Rollback {
		t.Errorf("%+v %v %v", deployments, warnings, err)
	}
	status, err := engine.Status()
	if err != nil || status.Environments[0].Deployed.Commit != first || !json.Valid(status.JSON) {
		t.Errorf("%+v %v", status, err)
	}
	unlocked, err := engine.UnlockDeployments("", "looked at")
	check(t, "unlocked", unlocked, false)
	check(t, "error", err, nil)
	for _, want := range []bool{true, false} {
		retired, err := engine.Retire("production")
		check(t, "retired", retired, want)
		check(t, "error", err, nil)
	}
	deployments, _, err = engine.Deployments("", 1)
	check(t, "error", err, nil)
	check(t, "the end", deployments[0].Outcome, tinyci.DeployRetired)
}

func TestADeploymentWaitsForAnApproval(t *testing.T) {
	repo, engine := deployable(t, "build: ':'\ndeploy: {run: echo deploying, approve: true}\n")
	run := engine.Deploy(context.Background(), "", tinyci.DeployRequest{})
	check(t, "output", pull(run), "")
	check(t, "error", run.Err(), nil)
	check(t, "outcome", run.Deployment().Outcome, tinyci.DeployAwaitingApproval)
	check(t, "passed", run.Deployment().Outcome.Passed() || run.Outcome().Passed(), false)

	for by, want := range map[string]tinyci.Outcome{"": tinyci.DeployAwaitingApproval, "Grace <grace@example.org>": tinyci.Success} {
		by := by
		asked := repo.open(tinyci.OnApproval(func(a *tinyci.ApprovalRequest) (string, error) {
			check(t, "environment", a.Name, "production")
			return by, nil
		}))
		run = asked.Deploy(context.Background(), "", tinyci.DeployRequest{})
		pull(run)
		check(t, "error", run.Err(), nil)
		check(t, "outcome", run.Deployment().Outcome, want)
		check(t, "approved", run.Deployment().ApprovedBy, by)
	}
	fault := errors.New("nobody can be reached")
	faulty := repo.open(tinyci.OnApproval(func(*tinyci.ApprovalRequest) (string, error) { return "", fault }))
	run = faulty.Deploy(context.Background(), "", tinyci.DeployRequest{})
	pull(run)
	check(t, "fault", errors.Is(run.Err(), fault) && errors.Is(run.Err(), tinyci.ErrHostFault), true)
	nameless := repo.open(tinyci.OnApproval(func(*tinyci.ApprovalRequest) (string, error) { return "a\x00b", nil }))
	run = nameless.Deploy(context.Background(), "", tinyci.DeployRequest{})
	pull(run)
	check(t, "a NUL byte", strings.Contains(run.Err().Error(), "NUL"), true)
	refusing := repo.open(tinyci.OnApproval(func(*tinyci.ApprovalRequest) (string, error) {
		return "", tinyci.Refuse("not on a Friday")
	}))
	repo.commit("more", "x")
	green(t, engine)
	run = refusing.Deploy(context.Background(), "", tinyci.DeployRequest{})
	pull(run)
	check(t, "refused", errors.Is(run.Err(), tinyci.ErrHostAbort), true)

	others := repo.open(tinyci.Setting("approvers", "grace@example.org"), tinyci.By("Joan", "joan@example.org"))
	joans, err := others.Approve("", "HEAD")
	check(t, "error", err, nil)
	check(t, "by", joans.ApprovedBy, "Joan <joan@example.org>")
	check(t, "problem", strings.Contains(joans.Problem, "does not list"), true)
	repo.git("update-ref", "-d", joans.Reference)
	approval, err := engine.Approve("", "HEAD")
	if err != nil || approval.Commit != repo.git("rev-parse", "HEAD") || approval.Reference == "" {
		t.Errorf("%+v %v", approval, err)
	}
	run = engine.Deploy(context.Background(), "", tinyci.DeployRequest{})
	check(t, "output", pull(run), "deploying\n")
	check(t, "approved", strings.HasPrefix(run.Deployment().ApprovedBy, "Ada"), true)
}

func TestWhatCannotBeDeployedIsAnError(t *testing.T) {
	_, engine := deployable(t, "build: ':'\ndeploy: echo deploying\n")
	run := engine.Deploy(context.Background(), "moon", tinyci.DeployRequest{})
	check(t, "next", run.Next(), false)
	check(t, "error", errors.Is(run.Err(), tinyci.ErrInvalidArg), true)
	check(t, "deployment", run.Deployment() == nil, true)
	run = engine.Deploy(context.Background(), "a\x00b", tinyci.DeployRequest{})
	check(t, "error", errors.Is(run.Err(), tinyci.ErrInvalidArg), true)
	run = engine.Rollback(context.Background(), "")
	pull(run)
	check(t, "error", errors.Is(run.Err(), tinyci.ErrNotFound), true)
}

func TestOldBuildsAreRemovedByRules(t *testing.T) {
	repo, engine := deployable(t, "build: ':'\ndeploy: ':'\n")
	repo.commit("more", "x")
	green(t, engine)
	for _, dry := range []bool{true, false} {
		report, err := engine.Prune(context.Background(), tinyci.PruneRules{Keep: 1, DryRun: dry})
		if err != nil || report.DryRun != dry || len(report.Removed) != 1 || report.Removed[0].Reason == "" {
			t.Errorf("%+v %v", report, err)
		}
		pinned := report.Protected
		if len(pinned) != 1 || pinned[0].Bytes == 0 || pinned[0].Why[0] != "next for production" {
			t.Errorf("%+v", report)
		}
	}
	_, err := engine.Prune(context.Background(), tinyci.PruneRules{})
	check(t, "no rule", errors.Is(err, tinyci.ErrInvalidArg), true)
}

func TestResultsComeFromARemote(t *testing.T) {
	repo, engine := deployable(t, "build: ':'\n")
	clone := newRepository(t)
	clone.git("remote", "add", "origin", repo.path)
	local := clone.open()
	changes, err := local.SetupRemote("")
	if err != nil || len(changes) == 0 {
		t.Errorf("%v %v", changes, err)
	}
	clone.git("fetch", "-q", "origin")
	clone.git("checkout", "-q", "-B", "main", "origin/main")
	for _, want := range []bool{true, false} {
		merged, err := local.MergeResults("origin")
		check(t, "merged", merged, want)
		check(t, "error", err, nil)
	}
	check(t, "verdict", clone.verdict("HEAD"), "success")
	if gone, err := local.UndoSetupRemote(""); err != nil || len(gone) != len(changes) {
		t.Errorf("%v %v", gone, err)
	}
	if _, err := local.SetupRemote("moon"); !errors.Is(err, tinyci.ErrNotFound) {
		t.Errorf("%v", err)
	}
	settings, err := engine.Settings()
	if err != nil || len(settings) == 0 || settings[0].Key == "" || settings[0].Description == "" {
		t.Errorf("%+v %v", settings, err)
	}
}
