"""The package: what of the header is bound, how the library is found, what a wheel holds."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import venv
import zipfile

import pytest
from conftest import Repository

import tinyci
from tinyci import _constants, _library

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
LIBRARY = os.environ["TINYCI_LIBRARY"]

#: What of the header is not called, and why.
SKIPPED = {
    "tinyci_request_arg_string": "`tinyci_request_arg_json` gives the same text, and keeps a NUL",
}


def written_by_hand() -> str:
    return "".join(
        path.read_text() for path in HERE.glob("src/tinyci/*.py") if path.name != "_ffi.py"
    )


def test_every_prototype_is_bound_or_skipped_with_a_reason() -> None:
    prototypes = ROOT.joinpath("bindings/prototypes.h").read_text()
    names = set(re.findall(r"\b(tinyci_\w+)\(", prototypes))
    called = set(re.findall(r"\blib(?:rary)?\.(tinyci_\w+)", written_by_hand()))
    assert len(names) > 100
    assert names - called == set(SKIPPED)
    for name in names:
        getattr(_library.lib, name)


def test_what_is_generated_is_fresh(tmp_path: pathlib.Path) -> None:
    subprocess.run(
        [sys.executable, HERE / "generate.py", tmp_path], check=True, stdout=subprocess.DEVNULL
    )
    for name in ("_ffi.py", "_constants.py"):
        committed = HERE.joinpath("src/tinyci", name).read_text()
        assert tmp_path.joinpath(name).read_text() == committed, "run generate.py"


def test_versions() -> None:
    assert tinyci.version() == tinyci.__version__ == _constants.VERSION
    assert tinyci.has_feature("rhai") and not tinyci.has_feature("no-such")


def test_the_types_are_complete() -> None:
    subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", os.devnull, "--no-incremental"],
        cwd=HERE,
        check=True,
    )


def importing(library: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import tinyci"],
        env={**os.environ, "TINYCI_LIBRARY": library},
        capture_output=True,
        text=True,
    )


def build_library(path: pathlib.Path, abi: int, number: int) -> str:
    source = (
        f"unsigned tinyci_abi(void) {{ return {abi}; }}\n"
        f"unsigned tinyci_version_number(void) {{ return {number}; }}\n"
        'const char *tinyci_version(void) { return "0.0.9"; }\n'
    )
    subprocess.run(["cc", "-shared", "-x", "c", "-", "-o", path], input=source.encode(), check=True)
    return str(path)


def test_other_libraries_are_refused(tmp_path: pathlib.Path) -> None:
    abi, number = _constants.ABI, _constants.VERSION_NUMBER
    empty = tmp_path / "empty.so"
    subprocess.run(["cc", "-shared", "-x", "c", os.devnull, "-o", empty], check=True)
    for library, said in (
        (str(tmp_path / "no-such.so"), "set TINYCI_LIBRARY"),
        (str(empty), "is not the tinyci library"),
        (build_library(tmp_path / "abi.so", abi + 1, number), f"has ABI {abi + 1}"),
        (build_library(tmp_path / "old.so", abi, number - 1), "is tinyci 0.0.9"),
    ):
        ended = importing(library)
        assert ended.returncode == 1
        last = ended.stderr.splitlines()[-1]
        assert last.startswith("ImportError: ") and said in last and library in last
    # A newer one of the same ABI is welcome.
    assert importing(build_library(tmp_path / "new.so", abi, number + 1)).returncode == 0


def build_wheel(directory: pathlib.Path, environment: dict[str, str]) -> pathlib.Path:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", directory, HERE],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (wheel,) = directory.glob("*.whl")
    return wheel


def test_a_wheel_brings_the_library(repository: Repository, tmp_path: pathlib.Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    wheel = build_wheel(tmp_path, environment)
    assert re.fullmatch(
        rf"tinyci-{re.escape(tinyci.__version__)}-py3-none-linux_\w+\.whl", wheel.name
    )
    names = zipfile.ZipFile(wheel).namelist()
    assert {"tinyci/py.typed", f"tinyci/{_library.FILE_NAME}"} <= set(names)
    assert not [name for name in names if "test" in name]

    del environment["TINYCI_LIBRARY"]
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=True)
    python = fresh / "bin/python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel],
        env=environment,
        check=True,
    )
    commit = repository.commit("build: echo hello\n")
    program = (
        "import sys, tinyci\n"
        "for record in tinyci.open(sys.argv[1]).run().wait():\n"
        "    print(record.commit, record.outcome, tinyci._library._path())\n"
    )
    ran = subprocess.run(
        [python, "-c", program, repository.path],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split()[:2] == [commit, "success"]
    assert ran.stdout.split()[2].startswith(str(fresh))


def test_a_wheel_without_the_library_looks_in_the_system(tmp_path: pathlib.Path) -> None:
    environment = {**os.environ}
    del environment["TINYCI_LIBRARY"]
    wheel = build_wheel(tmp_path, environment)
    assert wheel.name.endswith("-py3-none-any.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment["PYTHONPATH"] = str(site)
    program = "import tinyci; print(tinyci.version())"
    command = [sys.executable, "-c", program]
    missing = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert missing.returncode == 1 and _library.FILE_NAME in missing.stderr
    system = tmp_path / "lib"
    system.mkdir()
    system.joinpath(_library.FILE_NAME).symlink_to(LIBRARY)
    environment["LD_LIBRARY_PATH"] = str(system)
    assert subprocess.check_output(command, env=environment, text=True) == f"{tinyci.version()}\n"


@pytest.mark.parametrize("name", tinyci.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    value = getattr(tinyci, name)
    assert name.startswith("__") or (value.__doc__ and value.__doc__.strip())
