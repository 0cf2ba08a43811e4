"""What is brought or made and can be had again: packages, skills, what a kill left half done."""

import os
import shutil
import time
from collections.abc import Iterator

from ostler.config.paths import Paths
from ostler.integrations.plugins.packages import UNUSED

LEFT_BEHIND = 86_400.0
"""Seconds after which what was being made is not being made any more."""


def clean(paths: Paths, now: float | None = None) -> list[str]:
    """Remove what nobody has used for a month, and what was left behind; the folders that were
    removed. Blocks."""
    now = time.time() if now is None else now
    removed = [*unneeded(paths, now)]
    for path in removed:
        shutil.rmtree(path, ignore_errors=True)
    return removed


def unneeded(paths: Paths, now: float) -> Iterator[str]:
    for folder in _packages(os.path.join(paths.cache, "packages")):
        if _age(folder, now) > (LEFT_BEHIND if folder.endswith(".part") else UNUSED):
            yield folder
    for place in (os.path.join(paths.cache, "skills"), os.path.join(paths.data, "plugin-host")):
        for folder in _folders(place):
            half = folder.endswith(".part") or os.path.basename(folder).startswith("tmp")
            if _age(folder, now) > (LEFT_BEHIND if half else UNUSED):
                yield folder


def _packages(folder: str) -> Iterator[str]:
    """Those with packages in them: the folder of a scope has them one level deeper."""
    for found in _folders(folder):
        if found.endswith(".part") or os.path.isdir(os.path.join(found, "node_modules")):
            yield found
        elif os.path.basename(found).startswith("@"):
            yield from _packages(found)


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(e.path for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _age(path: str, now: float) -> float:
    try:
        return now - os.stat(path).st_mtime
    except OSError:
        return 0.0
