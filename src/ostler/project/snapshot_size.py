"""How much a repository of snapshots takes: noted when it is cleaned up, counted by who records."""

import os
import time
from contextlib import suppress

from ostler.schema.config import MEGABYTE, DiskConfig

LIMIT = 2 * 1024 * 1024 * 1024
"""Bytes of one checkout's snapshots, where nothing is configured."""
PAUSE = 600.0
"""Seconds until it is tried again after the limit was met."""
_NOTE = "ostler-size"


def measured(folder: str) -> int:
    """Bytes on disk below a folder. Blocks."""
    total, waiting = 0, [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue  # gone meanwhile
    return total


def note(folder: str, size: int, cleaned: bool = True) -> None:
    """Write down a size; ``cleaned``: as of now. Otherwise the repository is due for it."""
    path = os.path.join(folder, _NOTE)
    with suppress(OSError):  # without it, it is measured again
        with open(path, "w", encoding="utf-8") as file:
            file.write(str(size))
        if not cleaned:
            os.utime(path, (0, 0))


def noted(folder: str) -> tuple[int, float]:
    """The size that was noted last, and the seconds since the repository was cleaned up."""
    path = os.path.join(folder, _NOTE)
    try:
        with open(path, encoding="utf-8") as file:
            return int(file.read(32)), time.time() - os.stat(path).st_mtime
    except (OSError, ValueError):
        return 0, float("inf")


def say_used(folder: str) -> None:
    """Also where nothing changes, and so nothing is written."""
    with suppress(OSError):
        os.utime(os.path.join(folder, "HEAD"))


def last_used(folder: str) -> float:
    """In seconds since the epoch; cleaning up is no use."""
    found = 0.0
    for name in ("HEAD", "index"):
        with suppress(OSError):
            found = max(found, os.stat(os.path.join(folder, name)).st_mtime)
    return found


def snapshot_limit(config: DiskConfig | None) -> int | None:
    """In bytes; None: there is none."""
    chosen = config.snapshots if config else None
    if chosen is None:
        return LIMIT
    return chosen * MEGABYTE or None
