"""Pipelines that are read before, or without, a run; and the tags of their commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import _constants as c
from ._library import lib
from ._native import (
    NULL,
    Pointer,
    call,
    made_text,
    make,
    number_of,
    owned,
    string,
    text,
)

if TYPE_CHECKING:
    from .engine import Engine

_FORMATS = c.NAMES["format"]
_DEFINITIONS = c.NAMES["definitions"]


class Pipeline:
    """What one config says: phases and hooks, in the order of a run.

    It is had from :meth:`Engine.pipeline` or :meth:`parse`, and given to a :class:`Selection`.
    """

    def __init__(self, handle: Pointer) -> None:
        self._handle = handle

    @classmethod
    def parse(
        cls, source: str, format: str, name: str, *, engine: Engine | None = None
    ) -> Pipeline:
        """Reads a pipeline that stands in no commit.

        ``format`` is ``yaml`` or ``rhai``, ``name`` what errors call it. A script imports from the
        engine's path and can call its functions; without an engine it can do neither.
        """
        handle = NULL if engine is None else engine._open_handle()
        return cls(
            make(
                "tinyci_pipeline",
                lib.tinyci_pipeline_free,
                lib.tinyci_pipeline_parse,
                handle,
                *source_and_format(source, format),
                text(name),
            )
        )

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of its phases and hooks, such as ``before_build`` or ``build``."""
        count = lib.tinyci_pipeline_step_count(self._handle)
        name = lib.tinyci_pipeline_step_name
        return tuple(string(name(self._handle, index)) for index in range(count))

    def to_rhai(self) -> str:
        """A script that does the same, of a pipeline in YAML: what ``tinyci convert`` prints."""
        return made_text(lib.tinyci_pipeline_to_rhai, self._handle)

    def __repr__(self) -> str:
        return f"<tinyci.Pipeline {' '.join(self.steps)}>"


def source_and_format(source: str, format: str) -> tuple[bytes, int, int]:
    data = source.encode()
    return data, len(data), number_of(_FORMATS, format, "format")


def definitions(format: str = "markdown", *, engine: Engine | None = None) -> str:
    """The reference of the script API, as ``json``, ``markdown`` or ``rhai``: what ``tinyci defs``
    prints, with the functions of the engine if there is one."""
    handle = NULL if engine is None else engine._open_handle()
    return made_text(
        lib.tinyci_definitions, handle, number_of(_DEFINITIONS, format, "form of the reference")
    )


def interpolate(template: str, variables: Mapping[str, str] | None = None) -> str:
    """Fills the tags of a template in: ``<%= name %>`` becomes the variable's value.

    A value goes in only if a shell can take it for no more than a word; otherwise, and for a name
    that is not there, an :class:`Error` with line and column is raised.
    """
    handle = owned(lib.tinyci_vars_new(), lib.tinyci_vars_free)
    for name, value in (variables or {}).items():
        call(lib.tinyci_vars_set, handle, text(name), text(value))
    return made_text(lib.tinyci_interpolate, text(template), handle)
