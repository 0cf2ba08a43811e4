"""Which sessions have a running turn, and whether the process that runs it still lives.

Each process holds a lock on a file of its own; the operating system lets go of it when the process
dies, however that happens. A turn whose owner's lock is free was interrupted.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from ostler import ids
from ostler.events import BOOT
from ostler.store.database import MEMORY, Database
from ostler.store.sessions import Sessions

SETTLED = 60.0
"""Seconds after which a process has locked the file it made."""


class Turns:
    def __init__(self, db: Database, sessions: Sessions) -> None:
        self._db, self._sessions = db, sessions
        self._folder = None if db.path == MEMORY else Path(db.path + "-owners")
        self._lock: IO[bytes] | None = None

    def begin(self, session_id: str) -> None:
        """Record that this process runs a turn of the session."""
        self._hold_lock()
        self._db.write(
            "INSERT INTO turn VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE"
            " SET owner = excluded.owner, started = excluded.started",
            (self._sessions.known(session_id).seq, BOOT, ids.now_ms()),
        )

    def end(self, session_id: str) -> None:
        known = self._sessions.known(session_id)
        self._db.write("DELETE FROM turn WHERE session = ? AND owner = ?", (known.seq, BOOT))

    def owner_elsewhere(self, session_id: str) -> bool:
        """Whether another living process runs a turn of the session."""
        row = self._db.row(
            "SELECT owner FROM turn WHERE session = ?", (self._sessions.known(session_id).seq,)
        )
        return row is not None and row[0] != BOOT and not self._dead(row[0])

    def is_running(self, session_id: str) -> bool:
        """Whether any process has begun a turn of the session that has not ended. Raises
        NotFound."""
        place = self._sessions.known(session_id).seq
        return self._db.row("SELECT 1 FROM turn WHERE session = ?", (place,)) is not None

    def abandoned(self) -> list[str]:
        """Ids of sessions whose turn died with its process."""
        rows = self._db.rows(
            "SELECT session.id, turn.owner FROM turn JOIN session ON session.seq = turn.session"
            " WHERE turn.owner != ?",
            (BOOT,),
        )
        dead = {owner for owner in {row[1] for row in rows} if self._dead(owner)}
        return [session_id for session_id, owner in rows if owner in dead]

    def settle(self, session_id: str) -> None:
        """Forget an abandoned turn, once its session has been put right."""
        known = self._sessions.known(session_id)
        self._db.write("DELETE FROM turn WHERE session = ?", (known.seq,))

    def forget_dead(self) -> None:
        """Remove the lock files of processes that died. One that was just made may not be locked
        yet."""
        if self._folder is None:
            return
        for file in list(self._folder.glob("*")):
            try:
                is_young = time.time() - file.stat().st_mtime < SETTLED
            except OSError:
                continue
            if file.name != BOOT and not is_young:
                self._dead(file.name)

    def close(self) -> None:
        if self._lock is not None and self._folder is not None:
            (self._folder / BOOT).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _hold_lock(self) -> None:
        if self._lock is not None or self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / BOOT).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _dead(self, owner: str) -> bool:
        if self._folder is None:
            return True
        try:
            lock = os.open(self._folder / owner, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        (self._folder / owner).unlink(missing_ok=True)
        return True
