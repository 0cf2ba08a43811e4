"""What SQLite reports, as an error that names the file and says what to do."""

import sqlite3

from ostler.schema.errors import DiskFull, StoreFailure

_PRIMARY = 0xFF
_NO_ROOM = frozenset(
    (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
)
"""Extended codes of writes that found no room; a quota is told as the second."""
_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))


def failure(path: str, error: sqlite3.Error) -> StoreFailure:
    """The failure of a statement on the database at ``path``."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    if code in _NO_ROOM:
        return DiskFull(path, str(error))
    if code & _PRIMARY in _DAMAGED:
        return StoreFailure(
            f"{path} is not a usable database: {error}. Nothing was changed: `ostler db check` "
            "says what is damaged; put a copy back, or move it aside with its -wal and -shm"
        )
    return StoreFailure(f"cannot use the database {path}: {error}")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection held the file for longer than was waited."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
