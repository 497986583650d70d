"""examples/python, as a person runs it."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

from conftest import Repository, assert_gone, until

EXAMPLE = pathlib.Path(__file__).parents[3] / "examples/python/run_pending.py"


def start(*arguments: str | pathlib.Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, EXAMPLE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_runs_all_that_is_pending_and_prints_a_table(repository: Repository) -> None:
    green = repository.commit("build: echo hello\n", message="A good one")
    red = repository.commit("build: exit 0\ntest: exit 3\n", message="A bad one")
    ran = start("--jobs", "2", repository.path)
    out, err = ran.communicate()
    assert (ran.returncode, err) == (1, "")
    assert "hello\n" in out and "Building...\n" in out
    rows = [line.split() for line in out.splitlines()[-3:]]
    assert rows[0] == ["COMMIT", "OUTCOME", "TIME", "FAILED", "AT", "SUBJECT"]
    assert sorted((row[0], row[1], row[3], row[5]) for row in rows[1:]) == sorted(
        [(green[:10], "success", "-", "good"), (red[:10], "failure", "test", "bad")]
    )
    again = start("--quiet", repository.path)
    assert again.communicate() == ("Nothing is pending.\n", "") and again.returncode == 0


def test_it_says_what_is_wrong(tmp_path: pathlib.Path) -> None:
    ran = start(tmp_path / "nowhere")
    out, err = ran.communicate()
    assert (ran.returncode, out) == (4, "")
    assert err.startswith("error: ") and "nowhere" in err


def test_an_interrupt_lets_the_commit_clean_up(
    repository: Repository, tmp_path: pathlib.Path
) -> None:
    group = tmp_path / "group"
    repository.commit(
        f"build: echo $$ > {group}.new && mv {group}.new {group}; sleep 1000 & wait\n"
        "hooks:\n  after_all: echo cleaned up\n"
    )
    ran = start(repository.path)
    until(group.exists, "the build begins")
    os.kill(ran.pid, signal.SIGINT)
    out, err = ran.communicate()
    assert (ran.returncode, err) == (130, "")
    assert "cleaned up\n" in out and " canceled " in out.splitlines()[-1]
    assert_gone(group)
