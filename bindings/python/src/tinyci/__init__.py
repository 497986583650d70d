"""tinyci: continuous integration as a library. No daemon; state inside the git repository.

import tinyci

with tinyci.open("/srv/git/app.git") as engine:
    with engine.run() as run:
        for event in run:
            print(event.log_lines, end="")
    for record in run.records:
        print(record.commit, record.outcome)
"""

from ._constants import VERSION as __version__
from ._library import has_feature, version
from .cancel import CancelToken
from .engine import Engine
from .error import Error, Refusal
from .event import Event
from .pipeline import Pipeline, interpolate
from .record import Commit, Record, StepRecord
from .request import Command, Function, FunctionCall, Hook, Request, Secret
from .run import Run
from .selection import Selection

#: Opens a repository: see :class:`Engine`.
open = Engine


__all__ = [
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
    "has_feature",
    "interpolate",
    "open",
    "version",
]
