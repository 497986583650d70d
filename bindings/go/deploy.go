package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"encoding/json"
	"time"
)

// A Deployment is what remains of one.
type Deployment struct {
	// Commit is the full id of what was deployed.
	Commit string
	// From is the full id of what was deployed before; "" for nothing.
	From string
	// Environment is where to.
	Environment string
	// Outcome is what became of it.
	Outcome Outcome
	// Forced tells whether it was not green, Rollback whether it went back.
	Forced, Rollback bool
	// By is who deployed, by their own word, and Account the account of the machine that did it;
	// ApprovedBy is who approved; "" where nobody had to.
	By, Account, ApprovedBy string
	// Reason says why it is what it is, where that has to be said.
	Reason string
	// Job is the name of the attempt, which its events have too.
	Job string
	// Started is when it began, Finished when it ended; zero where it has not.
	Started, Finished time.Time
	// JSON is all of it, as `tinyci deployments --json` prints it.
	JSON json.RawMessage
}

// UnmarshalJSON reads a deployment as tinyci writes it.
func (d *Deployment) UnmarshalJSON(text []byte) error {
	var mirror struct {
		Commit, From, Environment, By, Account, Reason, Run string
		Outcome                                             Outcome
		Forced, Rollback                                    bool
		ApprovedBy                                          string `json:"approved_by"`
		Started, Finished                                   time.Time
	}
	err := json.Unmarshal(text, &mirror)
	*d = Deployment{
		Commit: mirror.Commit, From: mirror.From, Environment: mirror.Environment,
		Outcome: mirror.Outcome, Forced: mirror.Forced, Rollback: mirror.Rollback,
		By: mirror.By, Account: mirror.Account, ApprovedBy: mirror.ApprovedBy, Reason: mirror.Reason, Job: mirror.Run,
		Started: mirror.Started, Finished: mirror.Finished, JSON: append(json.RawMessage(nil), text...),
	}
	return err
}

// A DeployRequest says what is to be deployed. The zero value is the newest commit that is green.
type DeployRequest struct {
	// Revision is the commit, in git's syntax; "" for the newest that is green.
	Revision string
	// Rollback goes back to what was deployed before the deployment that is there now.
	Rollback bool
	// Force deploys also what is not green, which the record keeps.
	Force bool
	// Bare deploys the commit's files at once, without what a build adds, which the record keeps.
	Bare bool
	// ByName and ByAddress say who deploys; else it is whom git's configuration names.
	ByName, ByAddress string
	// Assume is the output that DeployPlan assumes of commands.
	Assume []Assumption
	// Plan is carried out exactly, in the place of everything but who deploys.
	Plan *DeployPlan
}

// with makes the request for one call.
func (d DeployRequest) with(do func(c *C.tinyci_deploy_request) error) error {
	c := C.tinyci_deploy_request_new()
	defer C.tinyci_deploy_request_free(c)
	var t texts
	revision := t.optional("revision", d.Revision)
	name, address := t.of("name", d.ByName), t.of("address", d.ByAddress)
	var plan *C.char
	if d.Plan != nil {
		plan = t.of("plan", string(d.Plan.JSON))
	}
	if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
		status := C.tinyci_deploy_request_set_revision(c, revision, err)
		if status == C.TINYCI_OK {
			status = C.tinyci_deploy_request_set_rollback(c, flag(d.Rollback), err)
		}
		if status == C.TINYCI_OK {
			status = C.tinyci_deploy_request_set_force(c, flag(d.Force), err)
		}
		if status == C.TINYCI_OK {
			status = C.tinyci_deploy_request_set_bare(c, flag(d.Bare), err)
		}
		if status == C.TINYCI_OK && d.ByName+d.ByAddress != "" {
			status = C.tinyci_deploy_request_set_by(c, name, address, err)
		}
		if status == C.TINYCI_OK && d.Plan != nil {
			status = C.tinyci_deploy_request_set_plan(c, plan, err)
		}
		return status
	}); err != nil {
		return err
	}
	if err := assume(d.Assume, func(command, output *C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_deploy_request_add_assumption(c, command, output, err)
	}); err != nil {
		return err
	}
	return do(c)
}

// A DeployPlan says what a deployment would do: to be shown to a person, and then to be carried out as
// it is.
type DeployPlan struct {
	// Environment is where to.
	Environment string
	// Commit is what.
	Commit Commit
	// Verdict is the commit's; "" where it has none.
	Verdict string
	// Running is what is deployed now; nil for nothing.
	Running *Deployment
	// Coming are the commits that it brings, Leaving those that it takes away.
	Coming, Leaving []Commit
	// Approval says whether somebody has to approve, and ApprovedBy who did. Which approvals do not
	// count, and why, stands in JSON.
	Approval   string
	ApprovedBy string `json:"approved_by"`
	// Acts are what it would do, in order.
	Acts []string
	// Forced tells whether it is not green, Rollback whether it goes back.
	Forced, Rollback bool
	// JSON is all of it, as `tinyci deploy --dry-run --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// DeployPlan tells what a deployment would do, without doing it. The environment "" is the plan's of
// the request, else production.
func (e *Engine) DeployPlan(environment string, request DeployRequest) (*DeployPlan, error) {
	plan := new(DeployPlan)
	err := request.with(func(r *C.tinyci_deploy_request) (err error) {
		var t texts
		name := t.optional("environment", environment)
		plan.JSON, err = e.report(&t, plan, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_deploy_plan_json(c, name, r, out, err)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return plan, nil
}

// Deploy starts a deployment: the deploy step of the commit's config, in its export. What came of it,
// [Run.Deployment] tells. The environment "" is the plan's of the request, else production.
//
// Nobody is asked whether it may begin. An approval that the config wants is looked for in the
// repository, and asked of [OnApproval]; without one nothing is done, and the outcome is
// DeployWaiting.
func (e *Engine) Deploy(ctx context.Context, environment string, request DeployRequest) *Run {
	return e.deploy(ctx, environment, func(c *C.tinyci_engine, name *C.char,
		cancel *C.tinyci_cancel, out **C.tinyci_run) error {
		return request.with(func(r *C.tinyci_deploy_request) error {
			_, err := call(func(err **C.tinyci_error) C.tinyci_code {
				return C.tinyci_deploy_start(c, name, r, cancel, out, err)
			})
			return err
		})
	})
}

// Rollback starts going back to what was deployed before the deployment that is there now, with the
// same checks and the same record. The environment "" is production.
func (e *Engine) Rollback(ctx context.Context, environment string) *Run {
	return e.deploy(ctx, environment, func(c *C.tinyci_engine, name *C.char,
		cancel *C.tinyci_cancel, out **C.tinyci_run) error {
		_, err := call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_rollback_start(c, name, cancel, out, err)
		})
		return err
	})
}

func (e *Engine) deploy(ctx context.Context, environment string,
	do func(*C.tinyci_engine, *C.char, *C.tinyci_cancel, **C.tinyci_run) error) *Run {
	run := e.start(ctx, func(c *C.tinyci_engine, cancel *C.tinyci_cancel, out **C.tinyci_run) error {
		var t texts
		name := t.optional("environment", environment)
		defer t.free()
		if t.err != nil {
			return t.err
		}
		return do(c, name, cancel, out)
	})
	run.deploys = true
	return run
}

// deploymentOf is what became of a deployment that is over. The library has the last word on how.
func deploymentOf(run *C.tinyci_run) (*Deployment, error) {
	var out *C.char
	if _, err := call(func(err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_run_deployment_json(run, &out, err)
	}); err != nil {
		return nil, err
	}
	deployment := new(Deployment)
	err := json.Unmarshal([]byte(taken(out)), deployment)
	deployment.Outcome = Outcome(C.tinyci_run_deploy_outcome(run))
	return deployment, err
}

// Deploys tells what was deployed, newest first: to one environment, or with "" to all; at most so
// many, or with 0 all. The warnings are for a person: what stands among the deployments and is none.
func (e *Engine) Deployments(environment string, limit int) (deployments []Deployment, warnings []string, err error) {
	var t texts
	name := t.optional("environment", environment)
	if limit < 0 {
		limit = 0
	}
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		var warned *C.char
		status := C.tinyci_deployments_json(c, name, C.size_t(limit), &warned, out, err)
		warnings = lines(taken(warned))
		return status
	})
	for _, line := range lines(text) {
		var deployment Deployment
		if err := json.Unmarshal([]byte(line), &deployment); err != nil {
			return deployments, warnings, err
		}
		deployments = append(deployments, deployment)
	}
	return deployments, warnings, err
}

// An Approval is somebody's word for one commit, in one environment, with the config that it has.
type Approval struct {
	// Commit is the full id.
	Commit string
	// Environment is where it may be deployed to.
	Environment string
	// By is who approved, as git's configuration or By names them.
	By string
	// Time is when.
	Time time.Time
	// Reference is the ref that is pushed to carry it to the server.
	Reference string
	// Problem says why it does not count in this repository; "" where it does.
	Problem string
}

// Approve approves of one commit, in one environment, so that the next deployment can go on. The
// environment "" is production; the revision is better an id, since names move.
func (e *Engine) Approve(environment, revision string) (*Approval, error) {
	var t texts
	name, rev := t.optional("environment", environment), t.of("revision", revision)
	approval := new(Approval)
	_, err := e.report(&t, approval, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_approve(c, name, rev, out, err)
	})
	if err != nil {
		return nil, err
	}
	return approval, nil
}

// UnlockDeployments says that somebody has looked at an environment whose last deployment was interrupted,
// and why it can go on. It tells whether there was something to unlock.
func (e *Engine) UnlockDeployments(environment, reason string) (unlocked bool, err error) {
	var t texts
	name, why := t.optional("environment", environment), t.of("reason", reason)
	return e.done(&t, func(c *C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_unlock_deployments(c, name, why, err)
	})
}

// Retire puts on record that nothing runs in an environment any more, "" for production, so that its
// builds are no longer pinned. It tells whether that is new.
func (e *Engine) Retire(environment string) (retired bool, err error) {
	var t texts
	name := t.optional("environment", environment)
	return e.done(&t, func(c *C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_retire(c, name, err)
	})
}

// An ApprovalRequest is a deployment that needs an approval; its Name is the environment's.
type ApprovalRequest struct {
	Request
	// Question is what a script asks the person who decides; "" where the config only says that
	// somebody has to approve.
	Question string
}

func (d *desk) callApproval(approval *ApprovalRequest) {
	if d.host.approval == nil {
		return
	}
	by, err := d.host.approval(approval)
	d.settle(approval.Request, err, func() error {
		var t texts
		text := t.optional("name", by)
		return approval.asked.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			if text == nil {
				return C.tinyci_request_return_null(c, err)
			}
			return C.tinyci_request_return_string(c, text, err)
		})
	})
}
