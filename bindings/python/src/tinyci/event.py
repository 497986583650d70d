"""The events of a run. They are plain data that outlives the run."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any

from . import _constants as c
from ._library import lib
from ._native import (
    NULL,
    Pointer,
    instant,
    name_of,
    octets,
    optional_string,
    string,
)
from .record import Record, outcome_name, record_of

_KINDS = c.NAMES["event"]
_STREAMS = c.NAMES["stream"]


@dataclass
class Event:
    """One thing that happened in a run, or a request that was answered."""

    __slots__ = (
        "commit",
        "data",
        "job_id",
        "json_text",
        "kind",
        "label",
        "log_lines",
        "outcome",
        "record",
        "sequence",
        "step",
        "stream",
        "time",
    )

    #: ``planned``, ``job_started``, ``exported``, ``step_started``, ``output``, ``step_finished``,
    #: ``job_finished``, ``deploy_started``, ``deploy_finished``, ``finished``, ``warning`` or
    #: ``waiting``; for requests ``hook``, ``function``, ``secret``, ``approval`` or ``command``.
    #: Ignore kinds that you do not know.
    kind: str
    #: The number of the event among the events of its run, from 1.
    sequence: int
    #: The time of the event, in UTC.
    time: datetime.datetime
    #: The full id of the event's commit, or None.
    commit: str | None
    #: The id of the event's job, or None. It separates the events of concurrent jobs.
    job_id: str | None
    #: The event's step, such as ``build``, or None.
    step: str | None
    #: The task of a script's ``parallel``, or the group, that the event comes from, or None.
    label: str | None
    #: The bytes of an ``output`` as the command wrote them, or the message of a ``warning`` or
    #: ``waiting``; empty for other kinds.
    data: bytes
    #: The stream of an ``output``: ``stdout`` or ``stderr``; else None.
    stream: str | None
    #: The outcome of a ``*_finished``; for a ``hook``, the outcome of the commit so far.
    outcome: str | None
    #: The record of a ``job_finished``; else None.
    record: Record | None
    #: The event's lines in the log. A terminal that shows these and the data of every ``output``
    #: shows what ``tinyci run`` shows.
    log_lines: str
    #: The event as the line of JSON that ``tinyci run --json`` prints.
    json_text: str

    @property
    def text(self) -> str:
        """The data as a string, with U+FFFD for bytes that are not UTF-8."""
        return self.data.decode(errors="replace")

    @property
    def json(self) -> dict[str, Any]:
        """The event's JSON, parsed."""
        parsed: dict[str, Any] = json.loads(self.json_text)
        return parsed

    def __repr__(self) -> str:
        about = " ".join(filter(None, (self.commit and self.commit[:12], self.step, self.outcome)))
        return f"<tinyci.Event {self.sequence} {self.kind}{about and ' ' + about}>"


def event_of(event: Pointer) -> Event:
    record = lib.tinyci_event_record(event)
    stream = lib.tinyci_event_stream(event)
    return Event(
        kind=name_of(_KINDS, lib.tinyci_event_kind(event)),
        sequence=lib.tinyci_event_sequence(event),
        time=instant(lib.tinyci_event_time_ms(event)),
        commit=optional_string(lib.tinyci_event_commit(event)),
        job_id=optional_string(lib.tinyci_event_job_id(event)),
        step=optional_string(lib.tinyci_event_step(event)),
        label=optional_string(lib.tinyci_event_label(event)),
        data=octets(lib.tinyci_event_data, event) or b"",
        stream=name_of(_STREAMS, stream) if stream else None,
        outcome=outcome_name(lib.tinyci_event_outcome(event)),
        record=None if record == NULL else record_of(record),
        log_lines=string(lib.tinyci_event_log_lines(event)),
        json_text=string(lib.tinyci_event_json(event)),
    )
