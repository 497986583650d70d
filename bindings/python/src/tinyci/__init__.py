"""tinyci: a CI system that you can embed. There is no daemon; all state is in the git repository.

import tinyci

with tinyci.open("/srv/git/app.git") as engine:
    with engine.run() as run:
        for event in run:
            print(event.log_lines, end="")
    for record in run.records:
        print(record.commit, record.outcome)
"""

import functools

from ._constants import VERSION as __version__
from ._library import has_feature, version
from .cancel import CancelToken
from .engine import Engine
from .error import Error, Refusal
from .event import Event
from .pipeline import Pipeline, definitions, interpolate
from .record import Commit, Record, StepRecord
from .request import Approval, Command, Function, FunctionCall, Hook, Request, Secret
from .run import Run
from .selection import Selection

#: Opens the repository at exactly this path. See :class:`Engine`.
open = Engine

#: Opens the nearest repository: the one at the directory, or in the nearest directory above it.
#: Takes the arguments of :class:`Engine`.
discover = functools.partial(Engine, discover=True)


__all__ = [
    "Approval",
    "CancelToken",
    "Command",
    "Commit",
    "Engine",
    "Error",
    "Event",
    "Function",
    "FunctionCall",
    "Hook",
    "Pipeline",
    "Record",
    "Refusal",
    "Request",
    "Run",
    "Secret",
    "Selection",
    "StepRecord",
    "__version__",
    "definitions",
    "discover",
    "has_feature",
    "interpolate",
    "open",
    "version",
]
