"""What runs JavaScript here: Node, or Bun where there is no Node that is new enough."""

import os
import re
import shutil
from collections.abc import Mapping
from typing import Literal

import msgspec

from ostler.integrations.plugins import program
from ostler.integrations.plugins.plugin import PluginError

VARIABLE = "OSTLER_PLUGIN_RUNTIME"
OLDEST = {"node": (20, 6), "bun": (1, 1)}
"""Node 20.6 has the loader hooks that TypeScript needs."""
INSTALL = (
    "Plugins and tools in TypeScript or JavaScript need Node 20 or newer (https://nodejs.org) "
    f"or Bun (https://bun.sh); {VARIABLE} names another one"
)
_VERSION = re.compile(r"^(v?)(\d+)\.(\d+)\.\d+", re.M)
_DEADLINE = 10.0


class Runtime(msgspec.Struct, frozen=True):
    """``program`` is its path."""

    kind: Literal["node", "bun"]
    program: str
    version: tuple[int, int]


_known: dict[tuple[str, float], Runtime | None] = {}


async def find(environment: Mapping[str, str]) -> Runtime:
    """Node, else Bun, else what ``OSTLER_PLUGIN_RUNTIME`` names, of ``environment``'s PATH.
    Raises PluginError that says what to install."""
    path = environment.get("PATH", os.defpath)
    wanted = environment.get(VARIABLE)
    refused = []
    for name in (wanted,) if wanted else ("node", "bun"):
        place = shutil.which(os.path.expanduser(name), path=path)
        if place is None:
            continue
        runtime = await _examined(place, environment)
        if runtime and runtime.version >= OLDEST[runtime.kind]:
            return runtime
        version = ".".join(map(str, runtime.version)) if runtime else "of an unknown version"
        refused.append(f"{place} is {version}")
    found = "; ".join(refused) or f"{wanted or 'neither'} is not in PATH"
    raise PluginError(f"{INSTALL}. {found}.")


async def _examined(place: str, environment: Mapping[str, str]) -> Runtime | None:
    """None for what does not tell its version as Node and Bun do. Asked once for each program."""
    key = (os.path.realpath(place), os.stat(place).st_mtime)
    if key not in _known:
        try:
            status, text = await program.run(
                (place, "--version"), directory="/", environment=environment, timeout=_DEADLINE
            )
        except OSError:
            return None
        match = _VERSION.search(text) if status == 0 else None
        _known[key] = (
            Runtime("node" if match[1] else "bun", place, (int(match[2]), int(match[3])))
            if match
            else None
        )
    return _known[key]
