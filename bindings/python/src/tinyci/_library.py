"""The shared library: where it is looked for, and whether this package may call it."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import Any

from . import _constants as c
from ._ffi import ffi as _ffi

#: What calls C. Untyped, since a function's name says nothing to a type checker.
ffi: Any = _ffi

#: Its name in the system's library folders, and beside this file in a wheel.
FILE_NAME = f"libtinyci.{c.ABI}.dylib" if sys.platform == "darwin" else f"libtinyci.so.{c.ABI}"


def _path() -> str:
    """The one file that is tried: who sets ``TINYCI_LIBRARY`` means that and no other."""
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
            f"cannot load the tinyci library: {error}. Install a wheel that brings it, or "
            f"{FILE_NAME} where the system looks for libraries, or set TINYCI_LIBRARY to its path"
        ) from None
    try:
        abi, number = library.tinyci_abi(), library.tinyci_version_number()
    except ffi.error:
        raise ImportError(f"{path} is not the tinyci library") from None
    if abi != c.ABI:
        raise ImportError(f"{path} has ABI {abi}, and this package calls ABI {c.ABI}")
    if number < c.VERSION_NUMBER:
        version = ffi.string(library.tinyci_version()).decode()
        raise ImportError(
            f"{path} is tinyci {version}, and this package needs {c.VERSION} or newer"
        )
    return library


lib = _load()


def version() -> str:
    """The version of the library that is used, such as ``0.1.0``."""
    text: str = ffi.string(lib.tinyci_version()).decode()
    return text


def has_feature(name: str) -> bool:
    """Whether the library was built with a feature, such as ``rhai`` for pipelines as scripts."""
    return bool(lib.tinyci_has_feature(name.encode()))
