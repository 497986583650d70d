"""Pipelines without a run, and placeholders."""

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
    """The steps of one config, in the order of a run.

    :meth:`Engine.pipeline` and :meth:`parse` make one; a :class:`Selection` can use it.
    """

    def __init__(self, handle: Pointer) -> None:
        self._handle = handle

    @classmethod
    def parse(
        cls, source: str, format: str, name: str, *, engine: Engine | None = None
    ) -> Pipeline:
        """Parses a pipeline that is not in a commit.

        ``format`` is ``yaml`` or ``rhai``; errors use ``name``. A script can import files from the
        engine's path and call its functions; without an engine it can do neither.
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
        """The names of its steps, such as ``before_build`` or ``build``."""
        count = lib.tinyci_pipeline_step_count(self._handle)
        name = lib.tinyci_pipeline_step_name
        return tuple(string(name(self._handle, index)) for index in range(count))

    def to_rhai(self) -> str:
        """Converts a YAML pipeline to an equivalent script, as ``tinyci convert`` does."""
        return made_text(lib.tinyci_pipeline_to_rhai, self._handle)

    def __repr__(self) -> str:
        return f"<tinyci.Pipeline {' '.join(self.steps)}>"


def source_and_format(source: str, format: str) -> tuple[bytes, int, int]:
    data = source.encode()
    return data, len(data), number_of(_FORMATS, format, "format")


def definitions(format: str = "markdown", *, engine: Engine | None = None) -> str:
    """Returns the script API reference as ``json``, ``markdown`` or ``rhai``, as ``tinyci defs``
    does. With an engine, it includes the registered functions."""
    handle = NULL if engine is None else engine._open_handle()
    return made_text(
        lib.tinyci_definitions, handle, number_of(_DEFINITIONS, format, "reference format")
    )


def interpolate(template: str, variables: Mapping[str, str] | None = None) -> str:
    """Fills in the placeholders of a template: ``<%= name %>`` becomes the value of the variable.

    Raises an :class:`Error` with line and column for an unknown name, and if a shell could take a
    value for more than one word.
    """
    handle = owned(lib.tinyci_vars_new(), lib.tinyci_vars_free)
    for name, value in (variables or {}).items():
        call(lib.tinyci_vars_set, handle, text(name), text(value))
    return made_text(lib.tinyci_interpolate, text(template), handle)
