"""What happens in a run. Plain data: an event outlives its run."""

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
    """One thing that happened in a run, or that it asked for and that was answered."""

    __slots__ = (
        "commit",
        "data",
        "job",
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
    #: ``waiting``; of requests ``hook``, ``function``, ``secret``, ``approval`` or ``command``.
    #: Pass over those that you do not know.
    kind: str
    #: Its place among the events of its run, from 1.
    sequence: int
    #: When it happened, in UTC.
    time: datetime.datetime
    #: The full id of the commit that it is about.
    commit: str | None
    #: The attempt at that commit, which tells the events of several jobs apart.
    job: str | None
    #: The phase or hook that it belongs to, such as ``build``.
    step: str | None
    #: The branch of a script's ``parallel``, or its group.
    label: str | None
    #: The bytes of an ``output``, as the command wrote them; the message of a ``warning`` or
    #: ``waiting``; empty for other kinds.
    data: bytes
    #: ``stdout`` or ``stderr`` of an ``output``.
    stream: str | None
    #: How what a ``*_finished`` is about ended; of a ``hook`` what is known
    #: of the commit so far.
    outcome: str | None
    #: What remains of the attempt, of a ``job_finished``.
    record: Record | None
    #: What the log has for this event; a terminal that shows these and the data of every ``output``
    #: shows what ``tinyci run`` shows.
    log_lines: str
    #: All of it, as the line of JSON that ``tinyci run --json`` prints.
    json_text: str

    @property
    def text(self) -> str:
        """The data as text, with U+FFFD in place of what is not UTF-8."""
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
        job=optional_string(lib.tinyci_event_job_id(event)),
        step=optional_string(lib.tinyci_event_step(event)),
        label=optional_string(lib.tinyci_event_label(event)),
        data=octets(lib.tinyci_event_data, event) or b"",
        stream=name_of(_STREAMS, stream) if stream else None,
        outcome=outcome_name(lib.tinyci_event_outcome(event)),
        record=None if record == NULL else record_of(record),
        log_lines=string(lib.tinyci_event_log_lines(event)),
        json_text=string(lib.tinyci_event_json(event)),
    )
