"""Questions that take long, asked on a connection of their own so that nobody waits for them."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from ostler.store.database import BUSY_TIMEOUT, MEMORY, Database
from ostler.store.failure import failure

T = TypeVar("T")

BYTES = (
    "octet_length(data)"
    if sqlite3.sqlite_version_info >= (3, 43)
    else ("length(CAST(data AS BLOB))")
)
"""Of a row's ``data``. The former does not read it."""


class Rows(Protocol):
    def rows(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """All rows of a query. Raises StoreFailure."""


class Reader:
    """A database file for reading alone, in the thread that opens it. Use as a context manager."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
            self._db.execute("PRAGMA query_only = ON")
        except sqlite3.Error as e:
            raise failure(path, e) from e

    def rows(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, params).fetchall()
        except sqlite3.Error as e:
            raise failure(self._path, e) from e

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()


async def ask(db: Database, question: Callable[[Rows], T]) -> T:
    """The answer, found in a thread where the database is a file; of what is committed by now.
    Raises StoreFailure."""
    db.commit()
    if db.path == MEMORY:
        return question(db)

    def read() -> T:
        with Reader(db.path) as reader:
            return question(reader)

    return await asyncio.to_thread(read)
