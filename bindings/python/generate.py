"""Generates src/tinyci/_ffi.py and _constants.py from the C library's description.

    python generate.py [DIRECTORY]

The sources are ../prototypes.h and ../../include/tinyci.json. The generated files are committed, so
that the package needs neither a C compiler nor a C parser. A test compares them with their sources.
"""

import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import cffi

HERE = pathlib.Path(__file__).resolve().parent
PROTOTYPES = HERE.parent / "prototypes.h"
DESCRIPTION = HERE.parent.parent / "include" / "tinyci.json"


def write_ffi(target: pathlib.Path) -> None:
    ffi = cffi.FFI()
    ffi.set_source("tinyci._ffi", None)
    ffi.cdef(PROTOTYPES.read_text())
    ffi.emit_python_code(str(target))


def write_constants(target: pathlib.Path) -> None:
    header = json.loads(DESCRIPTION.read_text())
    lines = ['"""The numbers of the C header. Written by generate.py."""', ""]
    for constant in header["constants"]:
        name = constant["name"].removeprefix("TINYCI_")
        lines.append(f"{name} = {json.dumps(constant['value'])}")
    lines += ["", "#: The names of numbers, by the groups that they are chosen from."]
    lines.append("NAMES: dict[str, dict[int, str]] = {")
    for group in header["groups"]:
        if group["kind"] == "choice":
            lines.append(f'    "{group["name"]}": {{')
            lines += [f"        {number}: {name}," for number, name in names(header, group)]
            lines.append("    },")
    target.write_text("\n".join([*lines, "}"]) + "\n")


def names(header: dict[str, Any], group: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for constant in header["constants"]:
        if constant["group"] == group["name"]:
            name = constant["name"].removeprefix(group["prefix"]).lower()
            yield constant["value"], json.dumps(name)


def main(directory: pathlib.Path) -> None:
    write_ffi(directory / "_ffi.py")
    write_constants(directory / "_constants.py")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "src" / "tinyci")
