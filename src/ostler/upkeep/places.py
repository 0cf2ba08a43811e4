"""Everything that Ostler keeps on the disk: where it is, how much it takes, and what keeps it from
growing."""

import os

import msgspec

from ostler.config.paths import Paths
from ostler.project.snapshot_size import measured


class Place(msgspec.Struct, frozen=True):
    """``bytes`` on disk, ``bound`` in words."""

    name: str
    path: str
    bytes: int
    bound: str


def places(paths: Paths) -> list[Place]:
    """In the order they are shown. What is in none of them is ``other``. Blocks for as long as it
    takes to look at every file."""
    data, cache, database = paths.data, paths.cache, paths.database
    control = os.path.join(data, "control.sqlite")
    known = [
        ("database", (database,), "retention, where it is set; free pages are given back"),
        ("write-ahead log", (f"{database}-wal", f"{database}-shm"), "4 MB once it is written back"),
        ("snapshots", (os.path.join(data, "snapshot"),), "7 days; disk.snapshots for a checkout"),
        ("tool outputs", (paths.tool_output,), "7 days, 2 GB"),
        ("worktrees", (os.path.join(data, "worktree"),), "yours: removed by DELETE and by git"),
        (
            "control plane",
            (control, f"{control}-wal", f"{control}-shm"),
            "runs are yours; journals 30 days",
        ),
        ("flows' worktrees", (os.path.join(data, "flows"),), "14 days after a run, by workers"),
        ("plugin host", (os.path.join(data, "plugin-host"),), "30 days unused"),
        ("plugin packages", (os.path.join(cache, "packages"),), "30 days unused"),
        ("compiled plugins", (os.path.join(cache, "compiled"),), "2,000 files"),
        ("fetched skills", (os.path.join(cache, "skills"),), "30 days unused"),
        ("log", (os.path.join(data, "log"),), "3 files of 5 MB"),
    ]
    found = [Place(name, at[0], sum(map(_bytes, at)), bound) for name, at, bound in known]
    inside = (f"{data}/", f"{cache}/")
    rest = sum(map(_bytes, (data, cache, paths.state))) - sum(
        place.bytes for place in found if place.path.startswith(inside)
    )
    return [*found, Place("other", data, max(0, rest), "settings, credentials, the catalogue")]


def _bytes(path: str) -> int:
    if os.path.isdir(path):
        return measured(path)
    try:
        return os.stat(path).st_blocks * 512
    except OSError:
        return 0
