"""Puts the shared library into the wheel, so that nothing else has to be installed.

If TINYCI_LIBRARY is set, the file that it names is added to the package, and the wheel is for this
platform and any Python. Else, the wheel is for any platform, and the library must be installed in
the system.
"""

import os
import pathlib
import re
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        library = os.environ.get("TINYCI_LIBRARY")
        if self.target_name != "wheel" or version != "standard" or not library:
            return
        constants = pathlib.Path(self.root, "src/tinyci/_constants.py").read_text()
        abi = re.search(r"^ABI = (\d+)$", constants, re.MULTILINE)[1]
        system = sysconfig.get_platform()
        name = f"libtinyci.{abi}.dylib" if system.startswith("macosx") else f"libtinyci.so.{abi}"
        build_data["force_include"][library] = f"tinyci/{name}"
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + re.sub(r"[^0-9A-Za-z]", "_", system)
