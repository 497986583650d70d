"""Writes what the package knows of the C library: src/tinyci/_ffi.py and _constants.py.

    python generate.py [FOLDER]

Their sources are ../prototypes.h and ../../include/tinyci.json. Both are committed, so that neither
a compiler nor a parser of C is needed where the package is used; a test compares them.
"""

import json
import pathlib
import sys

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
    lines = ['"""The numbers of the C header. Written by generate.py."""', ""]
    for constant in json.loads(DESCRIPTION.read_text())["constants"]:
        name = constant["name"].removeprefix("TINYCI_")
        lines.append(f"{name} = {json.dumps(constant['value'])}")
    target.write_text("\n".join(lines) + "\n")


def main(folder: pathlib.Path) -> None:
    write_ffi(folder / "_ffi.py")
    write_constants(folder / "_constants.py")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "src" / "tinyci")
