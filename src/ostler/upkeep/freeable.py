"""What a pass of upkeep would free, as far as it is known beforehand."""

import os
import time

from ostler.config.paths import Paths
from ostler.project.snapshot_size import measured
from ostler.project.snapshot_upkeep import leftovers, repositories
from ostler.store.space import Space
from ostler.tools.truncate import RETENTION
from ostler.upkeep import caches


def freeable(paths: Paths, database: Space) -> dict[str, int]:
    """Bytes by what it is. What is old in a repository that is in use is known to git alone, and
    not counted. Blocks."""
    now = time.time()
    unneeded = [r.folder for r in repositories(paths.data) if r.is_unneeded(now)]
    return {
        "free pages of the database": database.free,
        "old tool outputs": _old_outputs(paths.tool_output, now),
        "snapshots of checkouts that are gone or not used": sum(map(measured, unneeded)),
        "unused packages and skills": sum(map(measured, caches.unneeded(paths, now))),
        "temporary files": sum(map(measured, leftovers(paths.data, now))),
    }


def _old_outputs(folder: str, now: float) -> int:
    with os.scandir(folder) as entries:
        found = [entry.stat() for entry in entries if entry.name.startswith("tool_")]
    return sum(f.st_blocks * 512 for f in found if now - f.st_mtime > RETENTION)
