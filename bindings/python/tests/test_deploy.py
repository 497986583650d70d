"""Deployments, and what a repository shares with others."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
from conftest import Repository

import tinyci


@pytest.fixture
def green(repository: Repository) -> str:
    commit = repository.commit("build: exit 0\ndeploy: echo to <%= environment %>\n")
    assert tinyci.open(repository.path).run().wait()[0].passed
    return commit


def test_a_deployment_is_planned_done_and_taken_back(repository: Repository, green: str) -> None:
    engine = tinyci.open(repository.path)
    plan = engine.deploy_plan()
    assert green in str(plan)
    with engine.deploy(plan=plan, by=("Grace", "grace@example.org")) as run:
        with pytest.raises(tinyci.Error):
            _ = run.deployment
        events = list(run)
    kinds = [event.kind for event in events]
    assert "deploy_started" in kinds and "deploy_finished" in kinds
    assert b"to production\n" in [event.data for event in events]
    assert (run.outcome, run.passed, run.records) == ("success", True, ())
    assert (run.deployment["commit"], run.deployment["outcome"]) == (green, "success")
    assert "Grace" in str(run.deployment["deployed_by"])

    with pytest.raises(tinyci.Error) as raised:
        engine.deploy(plan=plan).wait()
    assert raised.value.code == "busy"
    with pytest.raises(tinyci.Error) as raised:
        engine.rollback().wait()
    assert raised.value.code == "not_found"

    second = repository.commit("build: exit 0\ndeploy: echo second\n")
    engine.run().wait()
    engine.deploy("production", second[:10]).wait()
    back = engine.rollback()
    back.wait()
    assert back.deployment["commit"] == green
    assert [deploy["commit"] for deploy in engine.deployments("production")] == [green, second, green]
    assert len(engine.deployments(limit=1)) == 1
    assert green in str(engine.status())


def test_what_is_not_green_is_deployed_by_force_only(repository: Repository) -> None:
    repository.commit("build: exit 1\ndeploy: exit 3\n")
    engine = tinyci.open(repository.path)
    engine.run().wait()
    with pytest.raises(tinyci.Error) as raised:
        engine.deploy(revision="HEAD").wait()
    assert raised.value.code == "invalid_arg"
    run = engine.deploy(revision="HEAD", force=True)
    run.wait()
    assert (run.outcome, run.passed, run.deployment["forced"]) == ("failure", False, True)
    with pytest.raises(tinyci.Error):
        engine.deploy_plan("no such environment")
    with pytest.raises(tinyci.Error) as raised:
        engine.deploy(plan={"no": "plan"})
    assert raised.value.code == "invalid_arg"


CONFIG = "build: exit 0\ndeploy: {run: exit 0, approve: true}\n"


def test_a_deployment_waits_for_an_approval(repository: Repository) -> None:
    commit = repository.commit(CONFIG)
    repository.git("config", "user.name", "Ada")
    repository.git("config", "user.email", "ada@example.org")
    engine = tinyci.open(repository.path)
    engine.run().wait()
    run = engine.deploy()
    run.wait()
    assert (run.outcome, run.passed, run.deployment["outcome"]) == ("awaiting_approval", False, "awaiting_approval")
    settings = {"approvers": "grace@example.org"}
    others = tinyci.open(repository.path, by=("Joan", "joan@example.org"), settings=settings)
    joans = others.approve(None, commit)
    assert joans["approved_by"] == "Joan <joan@example.org>" and "does not list" in joans["problem"]
    repository.git("update-ref", "-d", joans["reference"])
    approval = engine.approve(None, commit)
    assert approval["reference"].startswith("refs/tinyci/approvals/production/")
    run = engine.deploy()
    run.wait()
    assert run.passed and "Ada" in str(run.deployment["approved_by"])
    with pytest.raises(tinyci.Error) as raised:
        engine.approve("production", "no-such")
    assert raised.value.code == "not_found"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(None, "awaiting_approval"), (False, "awaiting_approval"), (True, "success"), ("Grace <g@h>", "success")],
)
def test_the_host_approves(repository: Repository, answer: object, outcome: str) -> None:
    commit = repository.commit(CONFIG)
    asked: list[tuple[str, str, str | None]] = []

    def approvals(approval: tinyci.Approval) -> object:
        asked.append((approval.name, approval.commit, approval.question))
        return answer

    engine = tinyci.open(repository.path, approvals=approvals)
    engine.run().wait()
    run = engine.deploy()
    assert "approval" in [event.kind for event in run]
    assert asked == [("production", commit, None)]
    assert run.outcome == outcome
    if isinstance(answer, str):
        assert "Grace" in run.deployment["approved_by"]


QUESTION = 'fn build() { } fn deploy() { approve("Is it Friday?"); sh("true"); }'


def test_a_host_that_fails_at_an_approval(repository: Repository) -> None:
    asked: list[str | None] = []

    def approvals(approval: tinyci.Approval) -> bool:
        asked.append(approval.question)
        raise ZeroDivisionError

    repository.script(QUESTION)
    engine = tinyci.open(repository.path, approvals=approvals)
    engine.run().wait()
    run = engine.deploy()
    with pytest.raises(ZeroDivisionError):
        run.wait()
    assert run.deployment["outcome"] == "failure"
    assert "the host aborted the request for an approval" in run.deployment["reason"]

    # Asked before the deployment begins: there is none then.
    repository.path.joinpath(".tinyci.rhai").unlink()
    repository.commit(CONFIG)
    engine.run().wait()
    run = engine.deploy()
    with pytest.raises(ZeroDivisionError):
        run.wait()
    with pytest.raises(tinyci.Error) as raised:
        _ = run.deployment
    assert raised.value.code == "host_fault"
    assert asked == ["Is it Friday?", None]


def test_an_environment_is_retired_once(repository: Repository, green: str) -> None:
    engine = tinyci.open(repository.path)
    with pytest.raises(tinyci.Error) as raised:
        engine.retire()
    assert raised.value.code == "not_found"
    engine.deploy().wait()
    assert engine.retire("production") is True
    assert engine.retire() is False
    assert [it["outcome"] for it in engine.deployments()] == ["retired", "success"]


def test_unlocking_where_nothing_is_locked(repository: Repository, green: str) -> None:
    engine = tinyci.open(repository.path)
    assert engine.unlock_deployments(None, "looked at it") is False
    with pytest.raises(tinyci.Error) as raised:
        engine.unlock_deployments("production", "")
    assert raised.value.code == "invalid_arg"


def test_settings_and_prune(repository: Repository) -> None:
    for number in range(3):
        repository.commit(f"build: echo {number}\n")
    engine = tinyci.open(repository.path)
    assert any("jobs" in str(setting) for setting in engine.settings())
    engine.run().wait()
    with pytest.raises(tinyci.Error) as raised:
        engine.prune()
    assert raised.value.code == "invalid_arg"
    builds = [path for path in repository.path.joinpath("builds").iterdir() if path.is_dir()]
    assert len(builds) == 3
    engine.prune(keep=1, dry_run=True)
    assert all(path.exists() for path in builds)
    engine.prune(keep=2)
    assert sum(path.exists() for path in builds) == 2
    engine.prune(max_age=0)
    assert not any(path.exists() for path in builds)


def test_results_of_a_remote(repository: Repository, green: str, tmp_path: pathlib.Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", repository.path, clone], check=True)
    engine = tinyci.open(clone)
    with pytest.raises(tinyci.Error) as raised:
        engine.setup_remote("no-such")
    assert raised.value.code == "not_found"
    lines = engine.setup_remote()
    assert lines and engine.setup_remote() == []
    subprocess.run(["git", "fetch", "--quiet"], cwd=clone, check=True, env={**os.environ})
    assert engine.merge_results() is True and engine.merge_results("origin") is False
    assert next(engine.records()).commit == green
    assert len(engine.undo_setup_remote()) == len(lines)
