"""The database file's pages: how many are free, and how they are given back to the disk."""

import os
import sqlite3
import time

import msgspec

from ostler.schema.errors import StoreBusy
from ostler.store.database import Database
from ostler.store.failure import failure, is_busy
from ostler.store.reader import Rows

SLACK = 1024 * 1024
"""Bytes of free pages that are kept for what is stored next."""
BESIDE_OTHERS = 64 * 1024 * 1024
"""A file that takes up no more is written anew also while another process has it open, which waits
a quarter of a second for that."""
INCREMENTAL = 2
WRITE_BACK_TRIES = 50


class Space(msgspec.Struct, frozen=True):
    """Bytes. ``shrinks``: free pages can be given back; files made by an Ostler before 0.1.0 cannot
    do that until they are written anew."""

    used: int
    free: int
    page: int
    shrinks: bool


def space(db: Rows) -> Space:
    """Raises StoreFailure."""
    page, pages, free, kind = (
        db.rows(f"PRAGMA {name}")[0][0]
        for name in ("page_size", "page_count", "freelist_count", "auto_vacuum")
    )
    return Space((pages - free) * page, free * page, page, kind == INCREMENTAL)


def give_back(db: Database, pages: int, slack: int = SLACK) -> int | None:
    """Return up to so many free pages to the disk; how many it were, None while another connection
    writes."""
    before = space(db)
    excess = max(0, before.free - slack) // before.page
    if excess == 0 or not before.shrinks:
        return 0
    db.give_back(min(pages, excess))
    return (before.free - space(db).free) // before.page or None


def write_back(path: str) -> None:
    """Move what is in the write-ahead log into the file, which then has its new size, as far as
    nobody reads or writes just now. Raises StoreFailure."""
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        for _ in range(WRITE_BACK_TRIES):
            ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if not busy:
                return
            time.sleep(0.02)
    except sqlite3.Error as e:
        if not is_busy(e):
            raise failure(path, e) from e
    finally:
        connection.close()


def rewrite(path: str) -> bool:
    """Write the whole file anew, without free pages and so that it shrinks from then on. Takes up
    to its size of disk meanwhile. False where another process has it open and would have to wait
    long. Raises StoreFailure, StoreBusy."""
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        if os.path.getsize(path) > BESIDE_OTHERS and not _is_ours_alone(connection):
            return False
        connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        connection.execute("VACUUM")
        return True
    except sqlite3.Error as e:
        if is_busy(e):
            raise StoreBusy(f"another process is writing to {path}: try again") from e
        raise failure(path, e) from e
    finally:
        connection.close()


def _is_ours_alone(connection: sqlite3.Connection) -> bool:
    """Whether nobody else has the file open; then nobody can open it until the connection ends."""
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
    except sqlite3.Error as e:
        if is_busy(e):
            return False
        raise
    return True
