"""The callbacks: hooks, functions, secrets, commands."""

from __future__ import annotations

import math
import pathlib
import subprocess
import threading
from typing import Any

import pytest
from conftest import Repository

import tinyci

HOOKS = [
    "before_build",
    "after_build_success",
    "after_build_failure",
    "after_build",
    "before_test",
    "after_test_success",
    "after_test_failure",
    "after_test",
    "after_all",
]


def output_of(run: tinyci.Run) -> str:
    return "".join(event.text for event in run if event.kind == "output")


def test_a_hook_sees_its_commit_and_sets_variables(repository: Repository) -> None:
    commit = repository.commit("build: echo <%= one %> <%= two %>\n")
    seen: list[tinyci.Hook] = []

    def hook(hook: tinyci.Hook) -> None:
        assert hook.export_dir.joinpath(".tinyci.yml").exists() and not hook.canceled
        assert threading.current_thread() is threading.main_thread()
        hook.vars["one"], hook.vars["two"] = "1", "2"
        assert dict(hook.vars) == {"one": "1", "two": "2"}
        with pytest.raises(tinyci.Error, match="commit") as raised:
            hook.vars["commit"] = "mine"
        assert raised.value.code == "invalid_arg"
        with pytest.raises(TypeError):
            hook.vars["number"] = 42  # type: ignore[assignment]
        seen.append(hook)

    run = tinyci.open(repository.path, hooks={"before_build": hook}).run()
    assert output_of(run) == "1 2\n"
    (hook_seen,) = seen
    assert (hook_seen.name, hook_seen.commit, hook_seen.step) == (
        "before_build",
        commit,
        "before_build",
    )
    assert hook_seen.outcome == "success" and hook_seen.canceled
    with pytest.raises(tinyci.Error, match="answered already"):
        hook_seen.vars["late"] = "1"


def test_every_hook_is_called_where_it_belongs(repository: Repository) -> None:
    repository.commit("build: exit 0\ntest: exit 1\n")
    called: list[tuple[str, str | None]] = []
    hooks = {point: lambda hook: called.append((hook.name, hook.outcome)) for point in HOOKS}
    assert not tinyci.open(repository.path, hooks=hooks).run().wait()[0].passed
    assert called == [
        ("before_build", "success"),
        ("after_build_success", "success"),
        ("after_build", "success"),
        ("before_test", "success"),
        ("after_test_failure", "failure"),
        ("after_test", "failure"),
        ("after_all", "failure"),
    ]


def test_a_hook_that_raises_leaves_no_verdict_and_comes_out_of_the_loop(
    repository: Repository,
) -> None:
    repository.commit("build: touch /should/not/run\nhooks:\n  after_all: echo cleaned\n")

    def broken(hook: tinyci.Hook) -> None:
        raise ZeroDivisionError("of mine")

    run = tinyci.open(repository.path, hooks={"before_build": broken}).run()
    events = []
    with pytest.raises(ZeroDivisionError, match="of mine") as raised:
        for event in run:
            events.append(event)
    assert any(entry.name == "broken" for entry in raised.traceback)
    assert events[-1].kind == "finished"
    assert b"cleaned\n" in [event.data for event in events]
    (record,) = run.records
    assert record.outcome == "error"
    error = record.steps[0].error or ""
    assert "ZeroDivisionError: of mine" in error
    assert [error in note for note in vars(raised.value)["__notes__"]] == [True]
    assert list(run) == []
    assert repository.verdict() is None
    assert len(tinyci.open(repository.path).pending_commits()) == 1, "it is due again"


def test_an_exception_of_a_hook_is_not_lost_by_leaving(repository: Repository) -> None:
    repository.commit("build: exit 0\n")

    def broken(hook: tinyci.Hook) -> None:
        raise ZeroDivisionError

    engine = tinyci.open(repository.path, hooks={"before_build": broken})
    with pytest.raises(ZeroDivisionError), engine.run() as run:
        for event in run:
            if event.kind == "hook":
                break


def test_ctrl_c_in_a_hook_leaves_at_once(repository: Repository) -> None:
    repository.commit("build: exit 0\n")

    def interrupted(hook: tinyci.Hook) -> None:
        raise KeyboardInterrupt

    engine = tinyci.open(repository.path, hooks={"before_build": interrupted})
    with pytest.raises(KeyboardInterrupt), engine.run() as run:
        for event in run:
            assert event.kind != "finished"
    assert repository.verdict() is None


def test_a_refusal_fails_the_step_alone(repository: Repository) -> None:
    repository.commit("build: exit 0\n")

    def frozen(hook: tinyci.Hook) -> None:
        raise tinyci.Refusal("releases are frozen", code=7)

    (record,) = tinyci.open(repository.path, hooks={"before_build": frozen}).run().wait()
    assert record.outcome == "failure"
    error = record.steps[0].error or ""
    assert "releases are frozen" in error and "7" in error


def test_a_hook_leaves_out_what_the_config_has(repository: Repository) -> None:
    repository.commit("build: echo built\nhooks:\n  before_build: exit 1\n")
    engine = tinyci.open(
        repository.path, hooks={"before_build": lambda hook: hook.skip("not today")}
    )
    (record,) = engine.run().wait()
    assert record.passed
    assert (record.steps[0].outcome, record.steps[0].error) == ("skipped", "skipped: not today")


def test_a_coroutine_needs_an_async_loop(repository: Repository) -> None:
    repository.commit("build: exit 0\n")

    async def later(hook: tinyci.Hook) -> None:
        raise AssertionError("nobody awaits this")

    with pytest.raises(TypeError, match="async for"):
        tinyci.open(repository.path, hooks={"before_build": later}).run().wait()


def test_an_unknown_hook_is_refused(repository: Repository) -> None:
    repository.commit("build: exit 0\n")
    with pytest.raises(tinyci.Error, match="before_lunch") as raised:
        tinyci.open(repository.path, hooks={"before_lunch": print})
    assert raised.value.code == "invalid_arg"


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -(2**63),
    2**63 - 1,
    1.5,
    -0.0,
    1e300,
    "",
    "ä\u2028€😀",
    "a\0b",
    [],
    [1, [2.5, None], "x"],
    {},
    {"a": {"b": [True]}, "ü": "\0"},
]


def test_values_make_the_round_trip(repository: Repository) -> None:
    calls = "".join(f"  take({index}, give({index}));\n" for index in range(len(VALUES)))
    repository.script(f"fn build(ctx) {{\n{calls}}}\n")
    taken: dict[int, Any] = {}

    def take(index: int, value: object) -> None:
        taken[index] = value

    functions = {"give": lambda index: VALUES[index], "take": take}
    engine = tinyci.open(repository.path, functions=functions)
    assert engine.run().wait()[0].passed
    assert [repr(taken[index]) for index in range(len(VALUES))] == [repr(v) for v in VALUES]


@pytest.mark.parametrize("value", [2**63, object(), math.nan, {1, 2}, [math.inf]])
def test_what_no_script_can_hold_leaves_no_verdict(repository: Repository, value: object) -> None:
    repository.script("fn build(ctx) { let x = give(); if type_of(x) != `f64` { throw `odd` } }\n")
    run = tinyci.open(repository.path, functions={"give": lambda: value}).run()
    if isinstance(value, float):
        assert run.wait()[0].passed
    else:
        with pytest.raises((OverflowError, TypeError, ValueError)):
            run.wait()
        assert run.records[0].outcome == "error"


def test_functions_say_what_they_take(repository: Repository) -> None:
    """How many arguments, an effect, a sentence, and who calls."""
    commit = repository.script(
        'fn build(ctx) { sh(`echo ${about()} ${about("x")} ${sum(1, 2, 3)}`); }\n'
    )

    def about(call: tinyci.FunctionCall, suffix: str = "none") -> str:
        """Tells who calls.

        And more."""
        assert call.name == "about" and call.export_dir.is_dir() and call.step == "build"
        return f"{call.commit[:7]}-{suffix}"

    function = tinyci.Function(about, effect="pure", pass_call=True)
    assert (function.arity(), function.sentence()) == ((0, 1), "Tells who calls.")
    functions = {"about": function, "sum": lambda *numbers: sum(numbers)}
    engine = tinyci.open(repository.path, functions=functions)
    assert output_of(engine.run()) == f"{commit[:7]}-none {commit[:7]}-x 6\n"

    report = engine.check_text("fn build(ctx) { about(1, 2, 3); }\n", "rhai", "x.rhai")
    assert report["valid"] is False
    with pytest.raises(ValueError, match="effect"):
        tinyci.open(repository.path, functions={"f": tinyci.Function(about, effect="evil")})
    with pytest.raises(tinyci.Error):
        tinyci.open(repository.path, functions={"Not A Name": about})


def test_a_script_may_catch_a_refusal_and_nothing_else(repository: Repository) -> None:
    repository.script("fn build(ctx) { try { refuse(); } catch (error) { sh(`echo caught`); } }\n")

    def refuse() -> None:
        raise tinyci.Refusal("no")

    run = tinyci.open(repository.path, functions={"refuse": refuse}).run()
    assert output_of(run) == "caught\n" and run.passed

    def broken() -> None:
        raise LookupError("a mistake is never caught")

    run = tinyci.open(repository.path, functions={"refuse": broken}).run(
        tinyci.Selection("HEAD", retry=True)
    )
    with pytest.raises(LookupError):
        run.wait()
    assert run.outcome == "error"


@pytest.mark.parametrize(
    ("secrets", "seen"),
    [
        ({"TOKEN": "hush"}, 4),
        ({"TOKEN": "hüsh".encode()}, 5),
        (lambda secret: b"hush" if secret.name == "TOKEN" else None, 4),
    ],
)
def test_secrets_are_answered_and_masked(repository: Repository, secrets: Any, seen: int) -> None:
    repository.commit(
        'build:\n  run: printf %s "$TOKEN" | wc -c; echo "[$TOKEN]"\n  secrets: [TOKEN]\n'
    )
    engine = tinyci.open(
        repository.path, secrets=secrets, settings={"secretRefs": ["refs/heads/main"]}
    )
    count, masked = output_of(engine.run()).split()
    assert int(count) == seen and "sh]" not in masked


def test_an_unknown_secret_fails_its_step_and_a_strange_one_leaves_no_verdict(repository: Repository) -> None:
    repository.commit("build:\n  run: 'true'\n  secrets: [TOKEN]\n")
    settings = {"secretRefs": "refs/heads/*"}
    engine = tinyci.open(repository.path, secrets={}, settings=settings)
    (record,) = engine.run().wait()
    assert not record.passed and "TOKEN" in (record.steps[0].error or "")
    strange: Any = {"TOKEN": 42}
    engine = tinyci.open(repository.path, secrets=strange, settings=settings)
    run = engine.run(tinyci.Selection("HEAD", retry=True))
    with pytest.raises(TypeError):
        run.wait()
    assert run.outcome == "error"


def local(command: tinyci.Command) -> int:
    """An executor as a program would write it, with `subprocess` only."""
    process = subprocess.Popen(
        command.args,
        cwd=command.cwd,
        env=command.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if command.split else subprocess.STDOUT,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(command.input)
    process.stdin.close()
    try:
        for line in process.stdout:
            command.write(line)
        return process.wait()
    except tinyci.Error:
        process.kill()
        process.wait()
        raise


def test_the_host_runs_the_commands(repository: Repository) -> None:
    repository.commit('build: echo "$TINYCI_STEP in $(basename $PWD)"\ntest: kill -9 $$\n')
    run = tinyci.open(repository.path, executor=local).run()
    assert output_of(run) == "build in export\n"
    build, test = run.records[0].steps
    assert (build.exit_code, test.exit_code, test.outcome) == (0, 128 + 9, "failure")


def test_a_command_has_its_own_environment_and_nothing_of_the_hosts(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("GIT_PREFIX", "sub/"), ("TOKEN", "secret"), ("LC_ODD", "a\udcff")):
        monkeypatch.setenv(name, value)
    repository.commit("build: env\n")
    commands: list[tinyci.Command] = []

    def executor(command: tinyci.Command) -> int:
        commands.append(command)
        return local(command)

    output = output_of(tinyci.open(repository.path, executor=executor).run())
    assert commands[0].env["LC_ODD"] == "a\udcff"
    assert "PATH=" in output and "GIT_PREFIX=" not in output and "TOKEN=" not in output


def test_commands_of_two_jobs_run_at_once(repository: Repository, tmp_path: pathlib.Path) -> None:
    repository.commit("build: first\n")
    repository.commit("build: second\n")
    meeting = threading.Barrier(2, timeout=120)

    def executor(command: tinyci.Command) -> int:
        assert command.shell in ("first", "second")
        meeting.wait()
        return 0

    records = tinyci.open(repository.path, executor=executor, jobs=2).run().wait()
    assert [record.passed for record in records] == [True, True]


def test_an_executor_may_write_faster_than_the_loop_pulls(repository: Repository) -> None:
    repository.commit("build: flood\n")
    line = b"x" * 999 + b"\n"

    def executor(command: tinyci.Command) -> int:
        for _ in range(20_000):
            command.write(line)
        command.write(b"oops\n", "stderr")
        return 0

    with tinyci.open(repository.path, executor=executor).run() as run:
        size = sum(len(event.data) for event in run if event.kind == "output")
    assert size == 20_000_000 + 5 and run.passed


def test_an_executor_that_raises_comes_out_of_the_loop(repository: Repository) -> None:
    repository.commit("build: anything\n")

    def executor(command: tinyci.Command) -> int:
        raise OSError("the machine is gone")

    run = tinyci.open(repository.path, executor=executor).run()
    with pytest.raises(OSError, match="the machine is gone"):
        run.wait()
    assert run.outcome == "error" and repository.verdict() is None


@pytest.mark.parametrize("answer", [None, True, "0"])
def test_an_executor_that_gives_no_exit_code_fails(repository: Repository, answer: Any) -> None:
    repository.commit("build: anything\n")
    run = tinyci.open(repository.path, executor=lambda command: answer).run()
    with pytest.raises(TypeError, match="exit code"):
        run.wait()
    assert not run.passed


def test_a_canceled_command_is_told(repository: Repository) -> None:
    repository.commit("build: endless\n")
    begun, told = threading.Event(), threading.Event()

    def executor(command: tinyci.Command) -> int:
        begun.set()
        try:
            while True:
                command.write(b"still here\n")
        except tinyci.Error as error:
            assert error.code == "canceled" and command.canceled
            told.set()
            raise

    with tinyci.open(repository.path, executor=executor).run() as run:
        for _ in run:
            if begun.is_set():
                run.cancel()
    assert run.outcome == "canceled" and told.wait(120)


def test_a_command_left_behind_is_told(repository: Repository) -> None:
    repository.commit("build: endless\n")
    commands: list[tinyci.Command] = []
    over = threading.Event()

    def executor(command: tinyci.Command) -> int:
        commands.append(command)
        while not command.canceled:
            over.wait(0.02)
        over.set()
        return 0

    with tinyci.open(repository.path, executor=executor).run() as run:
        while not commands:
            run.poll(0.02)
    assert over.wait(120)
    assert repository.verdict() is None
