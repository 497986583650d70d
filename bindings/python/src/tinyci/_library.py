"""Loads the shared library, and checks its version."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import Any

from . import _constants as c
from ._ffi import ffi as _ffi

#: The functions of C. Untyped, because a type checker does not know their types.
ffi: Any = _ffi

#: The library's name in the system's library directories, and next to this file in a wheel.
FILE_NAME = f"libtinyci.{c.ABI}.dylib" if sys.platform == "darwin" else f"libtinyci.so.{c.ABI}"


def _path() -> str:
    """Returns the path to load. If ``TINYCI_LIBRARY`` is set, no other path is tried."""
    named = os.environ.get("TINYCI_LIBRARY")
    if named:
        return named
    bundled = pathlib.Path(__file__).with_name(FILE_NAME)
    return str(bundled) if bundled.exists() else FILE_NAME


def _load() -> Any:
    path = _path()
    try:
        library = ffi.dlopen(path)
    except OSError as error:
        raise ImportError(
            f"cannot load the tinyci library: {error}. Install a wheel that contains it, or "
            f"{FILE_NAME} in a library directory of the system, or set TINYCI_LIBRARY to its path"
        ) from None
    try:
        abi, number = library.tinyci_abi(), library.tinyci_version_number()
    except ffi.error:
        raise ImportError(f"{path} is not the tinyci library") from None
    if abi != c.ABI:
        raise ImportError(f"{path} has ABI {abi}, but this package needs ABI {c.ABI}")
    if number < c.VERSION_NUMBER:
        version = ffi.string(library.tinyci_version()).decode()
        raise ImportError(
            f"{path} is tinyci {version}, but this package needs {c.VERSION} or newer"
        )
    return library


lib = _load()


def version() -> str:
    """Returns the version of the loaded library, such as ``0.1.0``."""
    text: str = ffi.string(lib.tinyci_version()).decode()
    return text


def has_feature(name: str) -> bool:
    """Returns True if the library was built with a feature, such as ``rhai`` for scripts."""
    return bool(lib.tinyci_has_feature(name.encode()))
