package tinyci

// #include <tinyci.h>
import "C"

import (
	"context"
	"encoding/json"
	"time"
)

// A Deployment is the record of one deployment.
type Deployment struct {
	// Commit is the full id of the deployed commit.
	Commit string
	// Previous is the full id of the commit that was deployed before; "" if there was none.
	Previous string
	// Environment is the target environment.
	Environment string
	// Outcome is the outcome of the deployment.
	Outcome Outcome
	// Forced is true if the commit was not green and was deployed with force.
	Forced bool
	// Rollback is true if the deployment went back to an earlier commit.
	Rollback bool
	// DeployedBy is the person who deployed, as they call themselves. Account is the Unix account that did
	// it.
	DeployedBy, Account string
	// ApprovedBy is the approver; "" if no approval was needed.
	ApprovedBy string
	// Reason explains the outcome, if it needs an explanation.
	Reason string
	// ID is the id of the deployment, as JobID in its events.
	ID string
	// Started is when the deployment began, Finished when it ended; zero if it has not ended.
	Started, Finished time.Time
	// JSON is the complete record, as `tinyci deployments --json` prints it.
	JSON json.RawMessage
}

// UnmarshalJSON reads a deployment as tinyci writes it.
func (d *Deployment) UnmarshalJSON(text []byte) error {
	var read struct {
		ID, Commit, Previous, Environment, Account, Reason string
		Outcome                                            Outcome
		Forced, Rollback                                   bool
		DeployedBy                                         string `json:"deployed_by"`
		ApprovedBy                                         string `json:"approved_by"`
		Started, Finished                                  time.Time
	}
	err := json.Unmarshal(text, &read)
	*d = Deployment{
		Commit: read.Commit, Previous: read.Previous, Environment: read.Environment,
		Outcome: read.Outcome, Forced: read.Forced, Rollback: read.Rollback,
		DeployedBy: read.DeployedBy, Account: read.Account, ApprovedBy: read.ApprovedBy,
		Reason: read.Reason, ID: read.ID, Started: read.Started, Finished: read.Finished,
		JSON: append(json.RawMessage(nil), text...),
	}
	return err
}

// A DeployRequest selects what to deploy. The zero value is the newest green commit of the environment's
// branch that contains what is deployed.
type DeployRequest struct {
	// Revision is the commit, in git's revision syntax; "" for the default.
	Revision string
	// Rollback deploys what was deployed before the current deployment.
	Rollback bool
	// Force deploys even a commit that is not green; the record shows it.
	Force bool
	// Bare deploys the commit's files at once, without a build; the record shows it.
	Bare bool
	// ByName and ByAddress name the person who deploys. Default: git's user.name and user.email.
	ByName, ByAddress string
	// Assume is the output that DeployPlan assumes of commands.
	Assume []Assumption
	// Plan is a plan to carry out exactly. It replaces everything but ByName and ByAddress.
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
		code := C.tinyci_deploy_request_set_revision(c, revision, err)
		if code == C.TINYCI_OK {
			code = C.tinyci_deploy_request_set_rollback(c, flag(d.Rollback), err)
		}
		if code == C.TINYCI_OK {
			code = C.tinyci_deploy_request_set_force(c, flag(d.Force), err)
		}
		if code == C.TINYCI_OK {
			code = C.tinyci_deploy_request_set_bare(c, flag(d.Bare), err)
		}
		if code == C.TINYCI_OK && d.ByName+d.ByAddress != "" {
			code = C.tinyci_deploy_request_set_by(c, name, address, err)
		}
		if code == C.TINYCI_OK && d.Plan != nil {
			code = C.tinyci_deploy_request_set_plan(c, plan, err)
		}
		return code
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

// A DeployPlan says what a deployment would do. You can show it to a person and then carry it out exactly.
type DeployPlan struct {
	// Environment is the target environment.
	Environment string
	// Commit is the commit to deploy.
	Commit Commit
	// Verdict is the verdict of the commit; "" if it has none.
	Verdict string
	// Deployed is the deployment that is live now; nil if there is none.
	Deployed *Deployment
	// Added are the commits that the deployment adds, Removed those that it removes.
	Added, Removed []Commit
	// Ineligible are newer commits that were ignored, newest first.
	Ineligible []IneligibleCommit
	// Approval says whether an approval is needed; ApprovedBy is the approver. JSON also has the approvals
	// that do not count, with the reasons.
	Approval   string
	ApprovedBy string `json:"approved_by"`
	// Steps are the steps that the deployment would take, in order.
	Steps []StepDryRun
	// Forced is true if the commit is not green, Rollback if the deployment goes back.
	Forced, Rollback bool
	// JSON is the complete plan, as `tinyci deploy --dry-run --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// A StepDryRun is what one step would do if every command passed.
type StepDryRun struct {
	// Name is the name of the phase or hook.
	Name string
	// Outcome is the outcome of the step; "unknown" if it depends on what a command prints.
	Outcome string
	// Reason says why the step would be skipped or fail, Ends why its outcome is unknown. Both can be "".
	Reason, Ends string
	// HookCallbacks is the number of hook callbacks that would be called first.
	HookCallbacks int `json:"hook_callbacks"`
	// Actions are the actions of the step, in order.
	Actions []Action
}

// An Action is one thing that a step would do or decide. The fields that do not belong to its kind are empty.
type Action struct {
	// Kind is "decision", "command", "call" or "note".
	Kind string `json:"action"`
	// Question and Answer are the condition of a decision and its result, at Line of File.
	Question string
	Answer   bool
	File     string
	Line     int
	// Command is a command in one line, Label the label of its output.
	Command, Label string
	// Output is what the script assumes of the output of a command: "passed", "unknown", or "given" as Text.
	Output, Text string
	// Call is the call of a function, as in a script.
	Call string
	// Note is a line of the log.
	Note string
}

// An IneligibleCommit is a commit that a deployment ignored when it chose what to deploy.
type IneligibleCommit struct {
	// Commit is the full id.
	Commit string
	// Reason says why.
	Reason string
}

// DeployPlan returns what a deployment would do, without doing it. The environment "" is the one of the
// request's plan, else production.
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

// Deploy starts a deployment: it runs the deploy step of the commit's config in its export directory.
// [Run.Deployment] returns the result. The environment "" is the one of the request's plan, else production.
//
// Deploy asks for no confirmation. If the config requires an approval, tinyci looks for one in the
// repository and then calls [OnApproval]. Without an approval it does nothing, and the outcome is
// DeployAwaitingApproval.
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

// Rollback starts a deployment of what was deployed before the current deployment, with the same checks
// and the same kind of record. The environment "" is production.
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

// deploymentOf returns the record of a deployment that has ended. The library decides the outcome.
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

// Deployments returns deployments, newest first: those to one environment, or to all with "". The limit is
// their maximum number; 0 for no limit. The warnings name unreadable entries.
func (e *Engine) Deployments(environment string, limit int) (deployments []Deployment, warnings []string, err error) {
	var t texts
	name := t.optional("environment", environment)
	if limit < 0 {
		limit = 0
	}
	text, err := e.text(&t, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		var warned *C.char
		code := C.tinyci_deployments_json(c, name, C.size_t(limit), &warned, out, err)
		warnings = lines(taken(warned))
		return code
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

// An Approval is a person's permission to deploy one commit to one environment, with the config that the
// commit has.
type Approval struct {
	// Commit is the full id of the commit.
	Commit string
	// Environment is the target environment.
	Environment string
	// ApprovedBy is the approver, as git's configuration or [By] names them.
	ApprovedBy string `json:"approved_by"`
	// Time is when the approval was given.
	Time time.Time
	// Reference is the ref that stores the approval. Push it to send the approval to the server.
	Reference string
	// Problem says why the approval does not count in this repository; "" if it counts.
	Problem string
}

// Approve approves the deployment of one commit to one environment. The environment "" is production. Pass
// an id as the revision, since names move.
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

// UnlockDeployments allows deployments again after an interrupted one, once a person has checked the
// environment. The reason is recorded. It returns false if there was nothing to unlock.
func (e *Engine) UnlockDeployments(environment, reason string) (unlocked bool, err error) {
	var t texts
	name, why := t.optional("environment", environment), t.of("reason", reason)
	return e.done(&t, func(c *C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_unlock_deployments(c, name, why, err)
	})
}

// Retire records that an environment, "" for production, has no deployment now, so that its builds are no
// longer protected. It returns false if that was recorded already.
func (e *Engine) Retire(environment string) (retired bool, err error) {
	var t texts
	name := t.optional("environment", environment)
	return e.done(&t, func(c *C.tinyci_engine, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_retire(c, name, err)
	})
}

// An ApprovalRequest is a deployment that needs an approval. Its Name is the environment.
type ApprovalRequest struct {
	Request
	// Question is the question that a script asks the approver; "" if the config only requires an approval.
	Question string
}

func (d *dispatcher) callApproval(approval *ApprovalRequest) {
	if d.handlers.approval == nil {
		return
	}
	by, err := d.handlers.approval(approval)
	d.settle(approval.Request, err, func() error {
		var t texts
		text := t.optional("name", by)
		return approval.pending.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			if text == nil {
				return C.tinyci_request_return_null(c, err)
			}
			return C.tinyci_request_return_string(c, text, err)
		})
	})
}
