"""Whether what is stored is whole: each thing that is wrong by its kind, and what to do."""

import os
import sqlite3
import time

import msgspec

from ostler.config.paths import Paths
from ostler.project.snapshot_upkeep import leftovers, repositories
from ostler.schema.errors import StoreFailure
from ostler.store.migrations import MIGRATIONS
from ostler.store.reader import Reader, Rows
from ostler.store.retention import orphan_sessions, orphans

MOST = 20
"""Findings of one kind that are told one by one."""


class Finding(msgspec.Struct, frozen=True):
    kind: str
    message: str


def findings(paths: Paths) -> list[Finding]:
    """Nothing is changed. Blocks for as long as it takes to read the database."""
    found = _of_file(paths.database)
    control = os.path.join(paths.data, "control.sqlite")
    if os.path.exists(control):
        found += _damage(control)
    return [*found, *_of_snapshots(paths.data)]


def _of_file(path: str) -> list[Finding]:
    if not os.path.exists(path):
        return []
    found = _damage(path)
    if found:
        return found
    with Reader(path) as db:
        version = db.rows("PRAGMA user_version")[0][0]
        if version > len(MIGRATIONS):
            return [
                Finding(
                    "newer",
                    f"{path} is of version {version}, this Ostler knows {len(MIGRATIONS)}: install "
                    "a newer Ostler, or name another file in OSTLER_DB",
                )
            ]
        return _of_rows(db) if version else []


def _damage(path: str) -> list[Finding]:
    what = "make a copy of it, with its -wal and -shm, before anything else"
    try:
        with Reader(path) as db:
            rows = [row[0] for row in db.rows(f"PRAGMA integrity_check({MOST})")]
    except StoreFailure as e:
        return [Finding("damaged", f"{e}")]
    except sqlite3.Error as e:
        return [Finding("damaged", f"{path}: {e}; {what}")]
    return [Finding("damaged", f"{path}: {row}; {what}") for row in rows if row != "ok"]


def _of_rows(db: Rows) -> list[Finding]:
    found = [
        Finding(
            "rows_without_owner",
            f"{count} rows of {table} belong to a session or message that is gone: "
            "`ostler db vacuum` deletes them",
        )
        for table, count in orphans(db).items()
    ]
    lost = orphan_sessions(db)
    if lost:
        shown = ", ".join(lost[:MOST])
        found.append(
            Finding(
                "sessions_without_parent",
                f"{len(lost)} sessions are subagents' of one that is gone ({shown}): delete them, "
                "or keep them, they are whole",
            )
        )
    return found


def _of_snapshots(data: str) -> list[Finding]:
    gone = [r for r in repositories(data) if r.is_gone]
    found = [
        Finding(
            "snapshots_without_checkout",
            f"{r.folder} is of {r.worktree}, which is gone: it is removed a week after its last "
            "use, by `ostler db vacuum` or a server",
        )
        for r in gone[:MOST]
    ]
    left = leftovers(data, time.time())
    if left:
        found.append(
            Finding(
                "left_behind",
                f"{len(left)} temporary files and folders, the first {left[0]}: "
                "`ostler db vacuum` removes them",
            )
        )
    return found
