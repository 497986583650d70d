"""Commits and records, as plain data."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import _constants as c
from ._library import ffi, lib
from ._native import (
    Pointer,
    call,
    instant,
    number_of,
    octets,
    optional_string,
    string,
)

_OUTCOMES = c.NAMES["outcome"]


def outcome_name(number: int) -> str | None:
    """Returns the name of an outcome, or None for 0. A later version's name equals no known one."""
    if number == 0:
        return None
    return optional_string(lib.tinyci_outcome_name(number)) or f"unknown({number})"


def outcome_number(outcome: str | None) -> int:
    return 0 if outcome is None else number_of(_OUTCOMES, outcome, "outcome")


@dataclass(frozen=True)
class Commit:
    """Git's data about a commit."""

    #: The full id.
    id: str
    #: The full id of its tree. Two commits with the same tree have the same files.
    tree: str
    #: The branch that it is tested for, without ``refs/heads/``; None if it is on no branch.
    branch: str | None
    #: The branch in git's own bytes.
    branch_bytes: bytes | None = field(repr=False)
    #: The first paragraph of its message, on one line.
    subject: str
    #: The subject in git's own bytes.
    subject_bytes: bytes = field(repr=False)
    #: The committer's time, in UTC.
    time: datetime.datetime
    #: The full ids of its parents, in git's order.
    parents: tuple[str, ...]
    #: The author, as ``Name <address>``.
    author: str
    #: The author in git's own bytes.
    author_bytes: bytes = field(repr=False)
    #: The complete message.
    message: str = field(repr=False)
    #: The message in git's own bytes.
    message_bytes: bytes = field(repr=False)
    #: All fields, as a line of JSON.
    json_text: str = field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        """The JSON, parsed."""
        parsed: dict[str, Any] = json.loads(self.json_text)
        return parsed


@dataclass(frozen=True)
class StepRecord:
    """The record of one step."""

    #: The name of the step, such as ``build``.
    name: str
    #: ``success``, ``failure``, ``timed_out``, ``skipped``, ...
    outcome: str
    #: The exit code of the last command, or 128 plus the number of the signal that ended it; None
    #: if no command ended.
    exit_code: int | None
    #: Why the step failed or was skipped, if no command says so.
    error: str | None


@dataclass(frozen=True)
class Record:
    """The record of one job."""

    #: The full id of the commit.
    commit: str
    #: The branch that the commit was tested for, or None.
    branch: str | None
    #: The branch in git's own bytes.
    branch_bytes: bytes | None = field(repr=False)
    #: ``success``, ``failure``, ``timed_out``, ``skipped``, ``error`` or ``canceled``.
    #: To find out whether the commit is green, use ``passed``.
    outcome: str
    #: True if the commit is green. Use only this field to decide that.
    passed: bool
    #: Why, if the steps do not say so: an invalid config, a cancellation.
    reason: str | None
    #: When the job began, in UTC.
    started: datetime.datetime
    #: How long the job took.
    duration: datetime.timedelta
    #: The steps that ran or were skipped, in order.
    steps: tuple[StepRecord, ...]
    #: The complete record, as the line of JSON in ``refs/notes/runs/tinyci``.
    json_text: str = field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        """The JSON, parsed."""
        parsed: dict[str, Any] = json.loads(self.json_text)
        return parsed


def _step_of(record: Pointer, index: int) -> StepRecord:
    exit_code = lib.tinyci_record_step_exit_code(record, index)
    return StepRecord(
        name=string(lib.tinyci_record_step_name(record, index)),
        outcome=outcome_name(lib.tinyci_record_step_outcome(record, index)) or "",
        exit_code=None if exit_code == -1 else exit_code,
        error=optional_string(lib.tinyci_record_step_error(record, index)),
    )


def record_of(record: Pointer) -> Record:
    count = lib.tinyci_record_step_count(record)
    return Record(
        commit=string(lib.tinyci_record_commit(record)),
        branch=optional_string(lib.tinyci_record_branch(record)),
        branch_bytes=octets(lib.tinyci_record_branch_bytes, record),
        outcome=outcome_name(lib.tinyci_record_outcome(record)) or "",
        passed=bool(lib.tinyci_record_passed(record)),
        reason=optional_string(lib.tinyci_record_reason(record)),
        started=instant(lib.tinyci_record_started_ms(record)),
        duration=datetime.timedelta(milliseconds=lib.tinyci_record_duration_ms(record)),
        steps=tuple(_step_of(record, index) for index in range(count)),
        json_text=string(lib.tinyci_record_json(record)),
    )


def each_record(records: Pointer) -> Iterator[Record]:
    out = ffi.new("const tinyci_record **")
    while call(lib.tinyci_records_next, records, out) == c.OK:
        yield record_of(out[0])


def _commit_of(commit: Pointer) -> Commit:
    return Commit(
        id=string(lib.tinyci_commit_id(commit)),
        tree=string(lib.tinyci_commit_tree(commit)),
        branch=optional_string(lib.tinyci_commit_branch(commit)),
        branch_bytes=octets(lib.tinyci_commit_branch_bytes, commit),
        subject=string(lib.tinyci_commit_subject(commit)),
        subject_bytes=octets(lib.tinyci_commit_subject_bytes, commit) or b"",
        time=instant(lib.tinyci_commit_time(commit) * 1000),
        parents=tuple(
            string(lib.tinyci_commit_parent(commit, index))
            for index in range(lib.tinyci_commit_parent_count(commit))
        ),
        author=string(lib.tinyci_commit_author(commit)),
        author_bytes=octets(lib.tinyci_commit_author_bytes, commit) or b"",
        message=string(lib.tinyci_commit_message(commit)),
        message_bytes=octets(lib.tinyci_commit_message_bytes, commit) or b"",
        json_text=string(lib.tinyci_commit_json(commit)),
    )


def each_commit(commits: Pointer) -> Iterator[Commit]:
    out = ffi.new("const tinyci_commit **")
    while call(lib.tinyci_commits_next, commits, out) == c.OK:
        yield _commit_of(out[0])
