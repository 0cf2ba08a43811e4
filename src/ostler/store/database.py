"""The SQLite file: one connection, one writer, changes grouped into a transaction a loop tick.

A change is executed at once inside an open transaction, which is committed at the end of the
current event-loop tick (or by ``commit``). Events that describe changes wait in an outbox until
their transaction is committed, so nobody is shown what a crash could take back. Committing costs
no fsync (WAL, synchronous NORMAL): a killed process loses nothing committed, a power cut at most
the last moments, and never consistency.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ostler.events import Bus, Event
from ostler.schema.errors import OstlerError, StoreBusy
from ostler.store.migrations import MIGRATIONS

log = logging.getLogger(__name__)

MEMORY = ":memory:"
BUSY_TIMEOUT = 10.0
"""Seconds a write waits while another process holds the file."""
CHECKPOINT_PAGES = 1_000
"""WAL pages after which its content is moved into the database, in the background."""


class StoreFailure(OstlerError):
    """The database cannot be used: disk full, damaged, or written by a newer version."""


class Database:
    """Open with a file path or ``MEMORY``; close when done. Belongs to one thread."""

    def __init__(self, path: str, bus: Bus) -> None:
        self.path, self._bus = path, bus
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
            self._configure()
            _migrate(self._db)
        except sqlite3.OperationalError as e:
            raise StoreFailure(f"cannot open the database {path}: {e}") from e
        except sqlite3.DatabaseError as e:
            raise StoreFailure(f"{path} is not a usable database: {e}") from e
        self._open = False
        self._outbox: list[tuple[Event, int | None]] = []
        self._version = -1
        self._seq = 0
        self._checkpointing: threading.Thread | None = None
        self._refresh_seq()
        bus.set_seq(self._seq)
        bus.hold_with(self._hold)

    def _configure(self) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "wal_autocheckpoint=0",
            "journal_size_limit=4194304",
            "temp_store=MEMORY",
        ):
            self._db.execute(f"PRAGMA {pragma}")

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, changes of the open transaction included."""
        return self._db.execute(sql, params).fetchall()

    def row(self, sql: str, params: Sequence[Any] = ()) -> Any | None:
        return self._db.execute(sql, params).fetchone()

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def write(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Execute a change; returns how many rows it touched. Raises StoreBusy or StoreFailure."""
        self._begin()
        try:
            return self._db.execute(sql, params).rowcount
        except sqlite3.OperationalError as e:
            raise StoreFailure(f"cannot write to {self.path}: {e}") from e

    def next_seq(self) -> int:
        """The next number of the order of changes; begins the transaction that uses it."""
        self._begin()
        self._seq += 1
        return self._seq

    def emit(self, event: Event, seq: int) -> None:
        """Publish an event once the open transaction, which holds change ``seq``, is committed."""
        self._outbox.append((event, seq))

    def publish(self, event: Event) -> None:
        """Publish a live event, after the changes made before it."""
        if not self._hold(event):
            self._bus.release(event)

    def commit(self) -> None:
        """Commit what is open and release its events. Raises StoreFailure."""
        if not self._open:
            return
        self._open = False
        outbox, self._outbox = self._outbox, []
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as e:
            self._db.execute("ROLLBACK")
            raise StoreFailure(f"cannot commit to {self.path}: {e}") from e
        for event, seq in outbox:
            self._bus.release(event, seq)
        self._checkpoint_if_due()

    def close(self) -> None:
        self.commit()
        if self._checkpointing is not None:
            self._checkpointing.join()
        self._bus.hold_with(lambda _event: False)
        self._db.close()

    def _begin(self) -> None:
        if self._open:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as e:
            raise StoreBusy(
                f"another process has held {self.path} for {BUSY_TIMEOUT:.0f} s: {e}"
            ) from e
        self._open = True
        self._refresh_seq()
        try:
            asyncio.get_running_loop().call_soon(self._commit_later)
        except RuntimeError:  # no loop: the caller commits
            pass

    def _commit_later(self) -> None:
        try:
            self.commit()
        except StoreFailure:
            log.exception("changes of the last moment were lost")

    def _hold(self, event: Event) -> bool:
        if self._open:
            self._outbox.append((event, None))
        return self._open

    def _refresh_seq(self) -> None:
        """Another process may have written: continue after its numbers."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        (newest,) = self._db.execute(
            "SELECT max(coalesce((SELECT max(rev) FROM session), 0),"
            " coalesce((SELECT max(rev) FROM message), 0),"
            " coalesce((SELECT max(rev) FROM part), 0),"
            " coalesce((SELECT max(seq) FROM tombstone), 0))"
        ).fetchone()
        self._seq = max(self._seq, newest)

    def _checkpoint_if_due(self) -> None:
        if self.path == MEMORY or self._checkpointing is not None:
            return
        try:
            pages = Path(self.path + "-wal").stat().st_size // 4096
        except OSError:
            return
        if pages >= CHECKPOINT_PAGES:
            self._checkpointing = threading.Thread(target=self._checkpoint, daemon=True)
            self._checkpointing.start()

    def _checkpoint(self) -> None:
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        except sqlite3.Error as e:
            log.warning("checkpoint of %s failed: %s", self.path, e)
        finally:
            self._checkpointing = None


def _migrate(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == len(MIGRATIONS):
        return
    if version > len(MIGRATIONS):
        raise StoreFailure(
            f"the database is of version {version}, this Ostler knows {len(MIGRATIONS)}: "
            "install a newer Ostler, or name another file in OSTLER_DB"
        )
    db.execute("BEGIN IMMEDIATE")
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()  # another process was first?
        for script in MIGRATIONS[version:]:
            for statement in script.split(";\n"):
                if statement.strip():
                    db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
