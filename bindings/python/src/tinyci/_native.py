"""Calls of the C library: converts strings, frees objects, raises errors.

With these helpers, a call that returns a string, an object or lines takes one line elsewhere.
"""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Callable
from typing import Any, TypeAlias

from . import _constants as c
from ._library import ffi, lib
from .error import Error

#: A pointer of the library, or one of its functions.
Pointer: TypeAlias = Any
Function: TypeAlias = Callable[..., Any]

NULL: Pointer = ffi.NULL


def number_of(names: dict[int, str], name: str, what: str) -> int:
    for number, known in names.items():
        if known == name:
            return number
    raise ValueError(f"unknown {what} {name!r}: expected one of {', '.join(names.values())}")


def name_of(names: dict[int, str], number: int) -> str:
    """Returns the name of a number. The name for a number of a later version is unique."""
    return names.get(number) or f"unknown({number})"


def _whole(data: bytes) -> bytes:
    """Rejects a NUL byte, where C would cut the string off."""
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return data


def text(value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}")
    return _whole(value.encode())


def optional_text(value: str | None) -> Pointer:
    return NULL if value is None else text(value)


def path(value: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bytes:
    return _whole(os.fsencode(value))


def milliseconds(seconds: float | None) -> int:
    """Rounds up, so that a short time does not become 0. None means no limit."""
    if seconds is None or seconds == math.inf:
        return -1
    return math.ceil(seconds * 1000)


def instant(milliseconds_since_1970: int) -> datetime.datetime:
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return epoch + datetime.timedelta(milliseconds=milliseconds_since_1970)


def optional_string(pointer: Pointer) -> str | None:
    if pointer == NULL:
        return None
    value: str = ffi.string(pointer).decode()
    return value


def string(pointer: Pointer) -> str:
    return optional_string(pointer) or ""


def path_string(pointer: Pointer) -> str:
    return "" if pointer == NULL else os.fsdecode(ffi.string(pointer))


def octets(function: Function, owner: Pointer) -> bytes | None:
    """Calls a function that returns bytes and their number."""
    length = ffi.new("size_t *")
    data = function(owner, length)
    return None if data == NULL else bytes(ffi.buffer(data, length[0]))


def _code_name(code: int) -> str:
    return optional_string(lib.tinyci_code_name(code)) or f"unknown({code})"


def _error(code: int, error: Pointer) -> Error:
    causes: list[str] = []
    while (cause := optional_string(lib.tinyci_error_cause(error, len(causes)))) is not None:
        causes.append(cause)
    file = lib.tinyci_error_file(error)
    return Error(
        _code_name(lib.tinyci_error_code(error) or code),
        string(lib.tinyci_error_message(error)),
        file=None if file == NULL else path_string(file),
        line=lib.tinyci_error_line(error) or None,
        column=lib.tinyci_error_column(error) or None,
        causes=tuple(causes),
        host_code=lib.tinyci_error_host_code(error),
    )


def call(function: Function, *arguments: Any) -> int:
    """Calls a function that returns a code and ends with ``err``. Returns or raises the code."""
    err = ffi.new("tinyci_error **")
    code: int = function(*arguments, err)
    if code >= 0:
        return code
    try:
        raise _error(code, err[0])
    finally:
        lib.tinyci_error_free(err[0])


def owned(pointer: Pointer, free: Function) -> Pointer:
    """Wraps an object that is freed after its last reference, so never during a call."""
    if pointer == NULL:
        raise MemoryError
    return ffi.gc(pointer, free)


def make(kind: str, free: Function, function: Function, *arguments: Any) -> Pointer:
    """Calls a function that stores a new object in ``out``."""
    out = ffi.new(f"{kind} **")
    call(function, *arguments, out)
    return owned(out[0], free)


def made_bytes(function: Function, *arguments: Any) -> bytes:
    """Calls a function that stores a new string in ``out``."""
    out = ffi.new("char **")
    call(function, *arguments, out)
    try:
        return b"" if out[0] == NULL else bytes(ffi.string(out[0]))
    finally:
        lib.tinyci_string_free(out[0])


def made_text(function: Function, *arguments: Any) -> str:
    return made_bytes(function, *arguments).decode()


def made_json(function: Function, *arguments: Any) -> Any:
    return json.loads(made_bytes(function, *arguments))
