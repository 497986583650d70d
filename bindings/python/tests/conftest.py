"""Real repositories, made by the real git."""

from __future__ import annotations

import os
import pathlib
import subprocess
import time
from collections.abc import Callable

import pytest

# No settings of the user apply, in this process or in those that it starts.
os.environ.update(
    GIT_CONFIG_GLOBAL=os.devnull,
    GIT_CONFIG_SYSTEM=os.devnull,
    GIT_AUTHOR_NAME="Ada",
    GIT_AUTHOR_EMAIL="ada@example.org",
    GIT_COMMITTER_NAME="Ada",
    GIT_COMMITTER_EMAIL="ada@example.org",
)


def until(condition: Callable[[], object], what: str) -> None:
    """Waits for a condition, however slow the machine is."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


class Repository:
    """A working tree with one branch, `main`, whose commits are a second apart."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.clock = 1_700_000_000
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        self.clock += 1
        return subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "GIT_COMMITTER_DATE": f"{self.clock} +0000"},
        ).stdout.strip()

    def commit(self, config: str, file: str = ".tinyci.yml", message: str = "A change") -> str:
        self.path.joinpath(file).write_text(config)
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def script(self, source: str) -> str:
        return self.commit(source, ".tinyci.rhai")

    def verdict(self, commit: str = "HEAD") -> str | None:
        """Returns the verdict in the notes, as git itself shows it."""
        shown = subprocess.run(
            ["git", "notes", "--ref", "tinyci-result", "show", commit],
            cwd=self.path,
            capture_output=True,
            text=True,
        )
        return shown.stdout.strip() if shown.returncode == 0 else None


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def silent(repository: Repository, tmp_path: pathlib.Path) -> pathlib.Path:
    """A build that starts, prints nothing, and never ends; the file contains its process group."""
    group = tmp_path / "group"
    repository.commit(
        f"build: echo $$ > {group}.new && mv {group}.new {group}; sleep 1000 & wait\n"
    )
    return group


def assert_gone(group: pathlib.Path) -> None:
    """Waits until no process of the group is left. A killed one may still wait for init."""

    def is_gone() -> bool:
        try:
            os.killpg(int(group.read_text()), 0)
        except ProcessLookupError:
            return True
        return False

    until(is_gone, "the commands have ended")
