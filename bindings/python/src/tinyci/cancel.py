"""Cancels a run from outside."""

from __future__ import annotations

from ._library import lib
from ._native import NULL, Pointer, owned


class CancelToken:
    """Cancels calls. Level 1 ends the running command and still runs ``after_all``; level 2 kills
    it.

    One token can cancel several calls. Any thread may use it.
    """

    def __init__(self) -> None:
        self._handle = owned(lib.tinyci_cancel_new(), lib.tinyci_cancel_free)

    def child(self) -> CancelToken:
        """Makes a token that is canceled with this one, or alone: for one of several runs."""
        child = CancelToken.__new__(CancelToken)
        child._handle = owned(lib.tinyci_cancel_child(self._handle), lib.tinyci_cancel_free)
        return child

    def cancel(self) -> None:
        """Raises the level by one, up to 2."""
        lib.tinyci_cancel_trigger(self._handle)

    @property
    def level(self) -> int:
        """The level: 0, 1 or 2."""
        return int(lib.tinyci_cancel_level(self._handle))

    def __repr__(self) -> str:
        return f"<tinyci.CancelToken level {self.level}>"


def cancel_pointer(token: CancelToken | None) -> Pointer:
    return NULL if token is None else token._handle
