"""The SQLite file: one connection, one writer, changes grouped into a transaction a loop tick.

A change is executed at once inside an open transaction, which is committed at the end of the
current event-loop tick (or by ``commit``). Events that describe changes wait in an outbox until
their transaction is committed, so nobody is shown what a crash could take back. Committing costs
no fsync (WAL, synchronous NORMAL): a killed process loses nothing committed, a power cut at most
the last moments, and never consistency.
"""

import asyncio
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ostler.events import Bus, Event
from ostler.schema.errors import StoreBusy, StoreFailure
from ostler.store.failure import failure, is_busy
from ostler.store.migrations import MIGRATIONS

log = logging.getLogger(__name__)

MEMORY = ":memory:"
BUSY_TIMEOUT = 10.0
"""Seconds a write waits while another process holds the file."""
CHECKPOINT_PAGES = 1_000
"""WAL pages after which its content is moved into the database, in the background."""


class Database:
    """Open with a file path or ``MEMORY``; close when done. Belongs to one thread."""

    def __init__(self, path: str, bus: Bus) -> None:
        self.path, self._bus = path, bus
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
        except sqlite3.Error as e:
            raise failure(path, e) from e
        try:
            self._configure()
            _migrate(self._db)
        except sqlite3.Error as e:
            self._db.close()
            raise failure(path, e) from e
        except StoreFailure:
            self._db.close()
            raise
        self._open = False
        self._forget: list[Callable[[], None]] = []
        self._lost: list[Callable[[StoreFailure], None]] = []
        self._outbox: list[tuple[Event, int | None]] = []
        self._version = -1
        self._seq = 0
        self._checkpointing: threading.Thread | None = None
        self._refresh_seq()
        bus.set_seq(self._seq)
        bus.hold_with(self._hold)

    def _configure(self) -> None:
        """Whether a file can be made smaller is decided before anything else is in it."""
        if self._db.execute("PRAGMA page_count").fetchone() == (0,):
            self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "wal_autocheckpoint=0",
            "journal_size_limit=4194304",
            "temp_store=MEMORY",
        ):
            self._db.execute(f"PRAGMA {pragma}")

    def when_stale(self, forget: Callable[[], None]) -> None:
        """Call when what was remembered of rows may no longer hold: another process has written, or
        changes were lost."""
        self._forget.append(forget)

    def when_lost(self, told: Callable[[StoreFailure], None]) -> None:
        """Call when changes that were made already could not be stored."""
        self._lost.append(told)

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def rows(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """All rows of a query, changes of the open transaction included. Raises StoreFailure."""
        try:
            return self._db.execute(sql, params).fetchall()
        except sqlite3.DatabaseError as e:
            raise failure(self.path, e) from e

    def row(self, sql: str, params: Sequence[Any] = ()) -> Any | None:
        try:
            return self._db.execute(sql, params).fetchone()
        except sqlite3.DatabaseError as e:
            raise failure(self.path, e) from e

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def write(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Execute a change; returns how many rows it touched. Raises StoreBusy or StoreFailure."""
        self._begin()
        try:
            return self._db.execute(sql, params).rowcount
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError):
            raise  # of this change alone
        except sqlite3.DatabaseError as e:
            raise self._lose(e) from e

    def newest(self) -> int:
        """The number of the newest change, other processes' included."""
        self._refresh_seq()
        return self._seq

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
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as e:
            raise self._lose(e) from e
        self._open = False
        outbox, self._outbox = self._outbox, []
        for event, seq in outbox:
            self._bus.release(event, seq)
        self._checkpoint_if_due()

    def give_back(self, pages: int) -> None:
        """Return up to so many free pages to the file system. Does nothing while another process
        writes, and for files that cannot be made smaller (see ``space``)."""
        self.commit()
        try:
            self._db.execute("PRAGMA busy_timeout = 0")
            # ``execute`` ends with the first page: it is told of each, as a row without columns.
            self._db.executescript(f"PRAGMA incremental_vacuum({pages})")
        except sqlite3.Error as e:
            if not is_busy(e):
                raise failure(self.path, e) from e
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")
        self._checkpoint_if_due()

    def _lose(self, error: sqlite3.Error) -> StoreFailure:
        """Take back the open transaction, whose changes cannot be stored: half of them would be
        worse than none. The failure, of which whoever relies on the changes has been told."""
        found = failure(self.path, error)
        self._open = False
        outbox, self._outbox = self._outbox, []
        if self._db.in_transaction:  # SQLite takes some back by itself
            self._db.execute("ROLLBACK")
        log.error("changes of the last moment were lost: %s", found)
        for forget in self._forget:
            forget()
        for told in self._lost:
            told(found)
        for event, seq in outbox:
            if seq is None:  # of something that happened, whether it is on record or not
                self._bus.release(event)
        return found

    def close(self) -> None:
        """Commit and close. Raises StoreFailure; it is closed then, too."""
        try:
            self.commit()
        finally:
            self._close()

    def _close(self) -> None:
        if self._checkpointing is not None:
            self._checkpointing.join()
        self._bus.hold_with(lambda _event: False)
        self._db.close()

    def _begin(self) -> None:
        if self._open:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as e:
            if not is_busy(e):
                raise failure(self.path, e) from e
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
            pass  # it is in the log, and who relies on the changes was told

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
        for forget in self._forget:
            forget()
        newest = self.rows(
            "SELECT max(coalesce((SELECT max(rev) FROM session), 0),"
            " coalesce((SELECT max(rev) FROM message), 0),"
            " coalesce((SELECT max(rev) FROM part), 0),"
            " coalesce((SELECT max(seq) FROM tombstone), 0))"
        )[0][0]
        self._seq = max(self._seq, newest)

    def _checkpoint_if_due(self) -> None:
        if self.path == MEMORY or self._checkpointing is not None:
            return
        try:
            pages = os.stat(self.path + "-wal").st_size // 4096
        except OSError:
            return
        if pages >= CHECKPOINT_PAGES:
            self._checkpointing = threading.Thread(target=self._checkpoint, daemon=True)
            self._checkpointing.start()

    def _checkpoint(self) -> None:
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT)
            # The first stops no writer; the second does, and has little left to move.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
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
