"""Whole runs: events, outcomes, and every way of leaving one before its end."""

from __future__ import annotations

import gc
import os
import pathlib
import select
import signal
import subprocess
import sys
import threading

import pytest
from conftest import Repository, assert_gone, until

import tinyci

PROGRAM = """
import sys, threading, tinyci

def freeze(hook):
    hook.vars["release"] = "42"      # if this raises, the commit gets no verdict

with tinyci.open(sys.argv[1], jobs=2, hooks={"before_build": freeze}) as engine:
    with engine.run() as run:        # all pending commits; leaving the block cancels and waits
        timer = threading.Timer(600, run.cancel)
        timer.daemon = True
        timer.start()
        for event in run:            # Ctrl-C works in a silent build
            if event.kind == "output":
                sys.stdout.buffer.write(event.data)
    for record in run.records:
        print(record.commit, record.outcome)
    green = next(engine.records(outcome="success", limit=1), None)
"""


def test_the_program_of_the_readme(repository: Repository) -> None:
    commit = repository.commit("build: echo release <%= release %>\n")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, repository.path], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == ["release 42", f"{commit} success"]
    readme = pathlib.Path(__file__).parent.parent.joinpath("README.md").read_text()
    assert PROGRAM.strip() in readme
    assert repository.verdict(commit) == "success"


def test_events_tell_what_happened(repository: Repository) -> None:
    commit = repository.commit("build: printf 'a\\377'\ntest: exit 3\n")
    engine = tinyci.open(repository.path, settings={"passEnv": "*"})
    with engine.run() as run:
        events = list(run)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    kinds = [event.kind for event in events]
    assert kinds[:3] == ["planned", "job_started", "exported"] and kinds[-1] == "finished"

    output = next(event for event in events if event.kind == "output")
    assert (output.data, output.text) == (b"a\xff", "a\ufffd")
    assert (output.step, output.stream, output.commit) == ("build", "stdout", commit)
    assert output.json["text_hex"] == "61ff"

    finished = next(event for event in events if event.kind == "job_finished")
    assert finished.record == run.records[0] and finished.job_id is not None
    assert finished.json["event"] == "job_finished"
    assert "test" in "".join(event.log_lines for event in events)
    assert (run.outcome, run.passed, run.done) == ("failure", False, True)

    (record,) = run.records
    assert (record.commit, record.branch, record.branch_bytes) == (commit, "main", b"main")
    assert (record.outcome, record.passed) == ("failure", False)
    build, test = record.steps
    assert (build.name, build.outcome, build.exit_code) == ("build", "success", 0)
    assert (test.name, test.outcome, test.exit_code) == ("test", "failure", 3)
    assert record.json["commit"] == commit and record.started.tzinfo is not None


def test_a_run_without_work_has_no_records(repository: Repository) -> None:
    repository.commit("nothing", "README")
    run = tinyci.open(repository.path).run()
    assert run.wait() == ()
    assert run.passed
    with pytest.raises(StopIteration):
        next(run)


def test_what_keeps_a_run_from_beginning_comes_out_of_the_loop(repository: Repository) -> None:
    repository.commit("build: exit 0\n")
    run = tinyci.open(repository.path).run("no-such-branch")
    with pytest.raises(tinyci.Error, match="no-such-branch") as raised:
        run.wait()
    assert raised.value.code == "not_found"
    assert run.done and not run.passed


def test_records_before_the_end_are_refused(repository: Repository) -> None:
    repository.commit("build: exit 0\n")
    with tinyci.open(repository.path).run() as run:
        with pytest.raises(tinyci.Error) as raised:
            _ = run.records
        assert raised.value.code == "invalid_arg"


def test_polling_beside_a_loop_of_the_hosts_own(repository: Repository) -> None:
    repository.commit("build: echo one; echo two\n")
    with tinyci.open(repository.path).run() as run:
        seen = []
        while not run.done:
            select.select([run], [], [], 120)
            while (event := run.poll(0)) is not None:
                seen.append(event.kind)
        assert seen[-1] == "finished"
        with pytest.raises(ValueError, match="closed"):
            run.fileno()


def test_a_poll_gives_up_after_its_time(silent: pathlib.Path, repository: Repository) -> None:
    with tinyci.open(repository.path).run() as run:
        until(silent.exists, "the build begins")
        while run.poll(0.05) is not None:
            pass
        assert not run.done


def test_leaving_the_loop_stops_the_run(silent: pathlib.Path, repository: Repository) -> None:
    with tinyci.open(repository.path).run() as run:
        for event in run:
            if event.kind == "step_started":
                until(silent.exists, "the build begins")
                break
    assert run.done
    assert_gone(silent)
    assert repository.verdict() is None
    with pytest.raises(tinyci.Error):
        _ = run.records


def test_an_exception_in_the_loop_stops_the_run(
    silent: pathlib.Path, repository: Repository
) -> None:
    with pytest.raises(KeyError), tinyci.open(repository.path).run() as run:
        for _ in run:
            if silent.exists():
                break
            until(silent.exists, "the build begins")
        raise KeyError("mine")
    assert_gone(silent)


def test_a_dropped_run_is_stopped(silent: pathlib.Path, repository: Repository) -> None:
    for _ in tinyci.open(repository.path).run():
        until(silent.exists, "the build begins")
        break
    gc.collect()
    assert_gone(silent)
    assert repository.verdict() is None


def test_cancel_from_another_thread(silent: pathlib.Path, repository: Repository) -> None:
    token = tinyci.CancelToken()

    def stop() -> None:
        until(silent.exists, "the build begins")
        token.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    with tinyci.open(repository.path).run(cancel=token) as run:
        events = list(run)
    thread.join()
    assert (events[-1].outcome, run.outcome, token.level) == ("canceled", "canceled", 1)
    assert [record.outcome for record in run.records] == ["canceled"]
    assert_gone(silent)
    assert repository.verdict() is None


def test_a_child_of_a_token_stops_one_run_alone(repository: Repository) -> None:
    repository.commit("build: echo going; sleep 1000\n")
    engine = tinyci.open(repository.path)
    everything = tinyci.CancelToken()
    one, other = everything.child(), everything.child()
    for token, raised in ((one, one), (other, everything)):
        run = engine.run(cancel=token)
        for event in run:
            if event.kind == "output":
                assert (everything.level, other.level) == (0, 0)
                raised.cancel()
        assert run.outcome == "canceled"
    assert (everything.level, one.level, other.level) == (1, 1, 1)


def test_close_from_another_thread_ends_the_loop(
    silent: pathlib.Path, repository: Repository
) -> None:
    run = tinyci.open(repository.path).run()

    def stop() -> None:
        until(silent.exists, "the build begins")
        run.close()

    thread = threading.Thread(target=stop)
    thread.start()
    for _ in run:
        pass
    thread.join()
    assert run.done and run.outcome is None
    assert_gone(silent)


def test_interrupt_in_a_silent_build(silent: pathlib.Path, repository: Repository) -> None:
    def interrupt() -> None:
        until(silent.exists, "the build begins")
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), tinyci.open(repository.path).run() as run:
            thread.start()
            for _ in run:
                pass
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert_gone(silent)
    assert repository.verdict() is None


def test_a_signal_handler_may_close_the_run(silent: pathlib.Path, repository: Repository) -> None:
    run = tinyci.open(repository.path).run()
    before = signal.signal(signal.SIGUSR1, lambda *_: run.close())

    def interrupt() -> None:
        until(silent.exists, "the build begins")
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=interrupt)
    try:
        thread.start()
        for _ in run:
            pass
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert run.done
    assert_gone(silent)


def test_ignored_ends_of_children_are_unsupported(repository: Repository) -> None:
    repository.commit("build: exit 0\n")
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(tinyci.Error, match="SIGCHLD") as raised:
            tinyci.open(repository.path).run()
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert raised.value.code == "unsupported"


def test_two_engines_at_once(tmp_path: pathlib.Path) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    runs = []
    for name, other in (("one", "two"), ("two", "one")):
        repository = Repository(tmp_path / name)
        repository.commit(
            f"build: touch {meeting}/{name}; until [ -e {meeting}/{other} ]; do sleep 0.05; done\n"
        )
        runs.append(tinyci.open(repository.path).run())
    threads = [threading.Thread(target=run.wait) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.passed for run in runs] == [True, True]


def test_a_flood_is_pulled_whole(repository: Repository) -> None:
    repository.commit("build: head -c 20000000 /dev/zero | tr '\\0' 'x'\n")
    with tinyci.open(repository.path).run() as run:
        size = sum(len(event.data) for event in run if event.kind == "output")
    assert size == 20_000_000 and run.passed
