"""The process around a run: how it ends, and how it forks."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from conftest import Repository, assert_gone

import tinyci

HEAD = """
import os, signal, sys, threading, time, tinyci
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = tinyci.open(sys.argv[1])
begun = threading.Event()
def pull(run):
    for event in run:
        if event.kind == "output":
            begun.set()
            yield
"""

# What is done once the build runs, and how the interpreter ends by it.
ENDINGS = {
    "sys.exit": ("sys.exit(3)", 3),
    "an uncaught error": ("raise ValueError('mine')", 1),
    "an interrupt": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(1000)", -signal.SIGINT),
    "a termination": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(1000)", -signal.SIGTERM),
    "os._exit": ("os._exit(4)", 4),
    "a kill": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
}

# Where the run is meanwhile.
PLACES = {
    "kept": "run = engine.run()\nnext(pull(run))\n{}",
    "in its block": "with engine.run() as run:\n    for _ in pull(run):\n        {}",
    "in a thread": (
        "run = engine.run()\n"
        "threading.Thread(target=lambda: list(pull(run)), daemon=True).start()\n"
        "begun.wait()\n"
        "{}"
    ),
}


@pytest.fixture
def group(repository: Repository, tmp_path: pathlib.Path) -> pathlib.Path:
    """The process group of a build that tells when it has begun, and never ends."""
    group = tmp_path / "group"
    repository.commit(f"build: echo $$ > {group}; echo begun; sleep 1000 & wait\n")
    return group


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_ends_in_mid_run(
    group: pathlib.Path, repository: Repository, ending: str, place: str
) -> None:
    statement, status = ENDINGS[ending]
    program = HEAD + PLACES[place].format(statement)
    ended = subprocess.run(
        [sys.executable, "-c", program, repository.path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == status, ended.stderr
    assert "Fatal" not in ended.stderr and "panicked" not in ended.stderr
    assert_gone(group)
    assert repository.verdict() is None


@pytest.mark.parametrize("ending", ["sys.exit", "an uncaught error", "an interrupt", "os._exit"])
def test_the_interpreter_ends_in_a_hook(
    group: pathlib.Path, repository: Repository, tmp_path: pathlib.Path, ending: str
) -> None:
    """While another commit's build runs."""
    go = tmp_path / "go"
    repository.commit(f"build: until [ -e {go} ]; do sleep 0.05; done\n")
    statement, status = ENDINGS[ending]
    if ending == "an uncaught error":
        # It fails the hook's step, and comes out of the loop once the run has ended.
        statement = f"run.cancel(); {statement}"
    program = f"""
{HEAD}
def hook(hook):
    {statement}
engine = tinyci.open(sys.argv[1], jobs=2, hooks={{"after_build": hook}})
with engine.run() as run:
    for _ in pull(run):
        open(sys.argv[2], "w").close()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, repository.path, go],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == status, ended.stderr
    assert_gone(group)
    assert repository.verdict("HEAD~1") is None


@pytest.mark.parametrize("ending", ["sys.exit", "os._exit"])
def test_the_interpreter_ends_under_an_executor(
    repository: Repository, tmp_path: pathlib.Path, ending: str
) -> None:
    repository.commit("build: endless\n")
    statement, status = ENDINGS[ending]
    program = f"""
{HEAD}
def endless(command):
    open(sys.argv[2], "w").close()
    while True:
        command.write(b"still here\\n")
run = tinyci.open(sys.argv[1], executor=endless).run()
while not os.path.exists(sys.argv[2]):
    run.poll(0.02)
{statement}
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, repository.path, tmp_path / "begun"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == status, ended.stderr
    assert repository.verdict() is None


def test_a_fork_in_mid_run_leaves_both_alive(
    repository: Repository, tmp_path: pathlib.Path
) -> None:
    go = tmp_path / "go"
    repository.commit(f"build: echo begun; until [ -e {go} ]; do sleep 0.05; done\n")
    other = Repository(tmp_path / "other")
    other.commit("build: echo of the child\n")
    program = """
import multiprocessing, os, sys, threading, tinyci
path, other, go = sys.argv[1:]
engine = tinyci.open(path)
run = engine.run()
while run.poll().kind != "output":
    pass

def child():
    for inherited in (engine.scan, run.poll, lambda: run.records):
        try:
            inherited()
        except tinyci.Error as error:
            assert error.code == "wrong_process", error.code
        else:
            raise AssertionError("the parent's is the parent's")
    run.cancel()
    run.close()
    with tinyci.open(other).run() as own:
        assert own.wait()[0].passed and own.passed

# A thread of the parent's is inside the library when it forks.
thread = threading.Thread(target=run.wait, daemon=True)
thread.start()
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join()
assert process.exitcode == 0, process.exitcode

pid = os.fork()
if pid == 0:
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7

open(go, "w").close()
thread.join()
assert run.passed, run.outcome
"""
    ended = subprocess.run(
        # Newer Pythons warn of any fork beside threads; here there are some, and it is right.
        [sys.executable, "-W", "ignore", "-c", program, repository.path, other.path, go],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (repository.verdict(), other.verdict()) == ("success", "success")


def test_children_of_the_host_are_its_own(repository: Repository) -> None:
    """A program that starts and awaits its own children during a run gets their exit codes."""
    repository.commit("build: echo begun; sleep 0.3\n")
    with tinyci.open(repository.path).run() as run:
        codes = []
        for event in run:
            if event.kind == "output":
                codes = [subprocess.call(["sh", "-c", f"exit {code}"]) for code in (0, 7)]
    assert codes == [0, 7] and run.passed


def test_descriptors_and_memory_come_back(repository: Repository) -> None:
    repository.commit("build: exit 0\n")
    engine = tinyci.open(repository.path)
    selection = tinyci.Selection("HEAD", retry=True)
    engine.run(selection).wait()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        engine.run(selection).wait()
        with engine.run(selection):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
