"""Session rows, and what hangs on a session directly: its todo list, its children."""

from functools import lru_cache
from typing import Any

import msgspec

from ostler.events import Event, Location
from ostler.schema.errors import NotFound
from ostler.schema.event import SessionCreated, SessionDeleted, SessionUpdated, TodoUpdated
from ostler.schema.session import Session, Todo
from ostler.store.codec import encode, restore, session_decoder, session_ids, strip, todos_decoder
from ostler.store.database import Database

KNOWN_LIMIT = 4_096
DECODED = 256
"""Sessions that are kept as they were last decoded: a turn asks for its own a dozen times."""
TOMBSTONES = 10_000
"""How many removals are remembered for clients that reconnect."""
TOMBSTONE_CHARACTERS = 8 * 1024 * 1024
"""How long they may be together."""


class Known(msgspec.Struct, frozen=True):
    """What every write below a session needs of it."""

    seq: int
    location: Location


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions to list, newest change first. ``path``: sub-path of the worktree and below;
    ``start``: changed at or after (ms); ``before``: changed before (ms); ``limit`` None: all."""

    project: str | None = None
    directory: str | None = None
    path: str | None = None
    roots: bool = False
    start: float | None = None
    before: float | None = None
    search: str | None = None
    archived: bool = True
    limit: int | None = 100


class Sessions:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[str, Known] = {}
        db.when_stale(self._known.clear)

    def known(self, session_id: str) -> Known:
        """Raises NotFound."""
        known = self._known.get(session_id)
        if known is None:
            row = self._db.row(
                "SELECT seq, directory, project FROM session WHERE id = ?", (session_id,)
            )
            if row is None:
                raise NotFound(f"Session not found: {session_id}")
            if len(self._known) >= KNOWN_LIMIT:
                self._known.clear()
            known = self._known[session_id] = Known(row[0], Location(row[1], row[2]))
        return known

    def get(self, session_id: str) -> Session:
        """Raises NotFound."""
        row = self._db.row("SELECT CAST(data AS BLOB) FROM session WHERE id = ?", (session_id,))
        if row is None:
            raise NotFound(f"Session not found: {session_id}")
        return _session(session_id, row[0])

    def select(self, query: SessionQuery) -> list[Session]:
        sql, params = _listing(query)
        decode = _session.__wrapped__  # a long list would push out what is in use
        return [decode(session_id, data) for session_id, data in self._db.rows(sql, params)]

    def select_json(self, query: SessionQuery) -> bytes:
        """The listing as a JSON array, without decoding a record."""
        sql, params = _listing(query)
        rows = self._db.rows(sql, params)
        return b"[" + b",".join(restore(data, session_ids(i)) for i, data in rows) + b"]"

    def children(self, session_id: str) -> list[Session]:
        """Direct children, oldest first."""
        rows = self._db.rows(
            "SELECT id, CAST(data AS BLOB) FROM session WHERE parent = ? ORDER BY seq",
            (session_id,),
        )
        return [_session(child, data) for child, data in rows]

    def ancestors(self, session: Session) -> list[Session]:
        """Parent, grandparent, …"""
        found: list[Session] = []
        parent = session.parentID
        while parent is not None:
            row = self._db.row("SELECT CAST(data AS BLOB) FROM session WHERE id = ?", (parent,))
            if row is None:
                break
            found.append(_session(parent, row[0]))
            parent = found[-1].parentID
        return found

    def create(self, session: Session) -> Session:
        seq = self._db.next_seq()
        json = encode(session)
        self._db.write(
            "INSERT INTO session"
            " (seq, rev, id, parent, project, directory, updated, archived, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                seq,
                seq,
                session.id,
                session.parentID,
                session.projectID,
                session.directory,
                session.time.updated,
                session.time.archived is not None,
                strip(json, session_ids(session.id)),
            ),
        )
        location = Location(session.directory, session.projectID)
        self._known[session.id] = Known(seq, location)
        self._emit(SessionCreated(sessionID=session.id, info=session), json, location, seq)
        return session

    def save(self, session: Session) -> Session:
        """Store a changed session. Raises NotFound."""
        self.known(session.id)
        seq = self._db.next_seq()
        json = encode(session)
        self._db.write(
            "UPDATE session SET rev = ?, project = ?, directory = ?, updated = ?, archived = ?,"
            " data = ? WHERE id = ?",
            (
                seq,
                session.projectID,
                session.directory,
                session.time.updated,
                session.time.archived is not None,
                strip(json, session_ids(session.id)),
                session.id,
            ),
        )
        location = Location(session.directory, session.projectID)
        if location != self.known(session.id).location:
            del self._known[session.id]
        self._emit(SessionUpdated(sessionID=session.id, info=session), json, location, seq)
        return session

    def delete(self, session_id: str, contents: bool = True) -> None:
        """Delete a session with everything below it, children first. ``contents`` False leaves the
        messages to be swept (see retention.py): many take long. Raises NotFound."""
        session, known = self.get(session_id), self.known(session_id)
        for child in self.children(session_id):
            self.delete(child.id, contents)
        for table in ("part", "message", "todo", "turn") if contents else ("todo", "turn"):
            self._db.write(f"DELETE FROM {table} WHERE session = ?", (known.seq,))
        self._db.write("DELETE FROM session WHERE id = ?", (session_id,))
        self._known.pop(session_id, None)
        seq = self._db.next_seq()
        properties = SessionDeleted(sessionID=session_id, info=session)
        bury(self._db, seq, known.location, properties.kind, encode(properties))
        self._db.emit(Event(properties, known.location), seq)

    def todos(self, session_id: str) -> list[Todo]:
        """Raises NotFound."""
        known = self.known(session_id)
        row = self._db.row("SELECT data FROM todo WHERE session = ?", (known.seq,))
        return todos_decoder.decode(row[0]) if row else []

    def save_todos(self, session_id: str, todos: list[Todo]) -> None:
        """Replace the list. Raises NotFound."""
        known = self.known(session_id)
        seq = self._db.next_seq()
        self._db.write(
            "INSERT INTO todo VALUES (?, ?)"
            " ON CONFLICT (session) DO UPDATE SET data = excluded.data",
            (known.seq, encode(todos).decode()),
        )
        self._db.emit(Event(TodoUpdated(sessionID=session_id, todos=todos), known.location), seq)

    def _emit(
        self,
        properties: SessionCreated | SessionUpdated,
        json: bytes,
        location: Location,
        seq: int,
    ) -> None:
        encoded = b'{"sessionID":"%b","info":%b}' % (properties.sessionID.encode(), json)
        self._db.emit(Event(properties, location, encoded), seq)


def bury(db: Database, seq: int, location: Location, kind: str, properties: bytes) -> None:
    """Remember a removal, so that a client that reconnects hears of it."""
    db.write(
        "INSERT INTO tombstone VALUES (?, ?, ?, ?, ?)",
        (seq, location.directory or "", location.project or "", kind, properties.decode()),
    )
    db.write(
        "DELETE FROM tombstone WHERE seq <= (SELECT seq FROM tombstone ORDER BY seq DESC"
        " LIMIT 1 OFFSET ?)",
        (TOMBSTONES,),
    )


def trim_tombstones(db: Database, characters: int = TOMBSTONE_CHARACTERS) -> None:
    """Forget the oldest removals beyond so many characters, never the newest one: it says how far
    numbers have been given out."""
    db.write(
        "DELETE FROM tombstone WHERE seq < (SELECT seq FROM (SELECT seq,"
        " sum(length(properties)) OVER (ORDER BY seq DESC) AS total FROM tombstone)"
        " WHERE total > ? ORDER BY seq DESC LIMIT 1)",
        (characters,),
    )


@lru_cache(DECODED)
def _session(session_id: str, data: bytes) -> Session:
    return session_decoder.decode(restore(data, session_ids(session_id)))


def _listing(query: SessionQuery) -> tuple[str, list[Any]]:
    where: list[str] = []
    params: list[Any] = []

    def add(condition: str, *values: Any) -> None:
        where.append(condition)
        params.extend(values)

    if query.project is not None:
        add("project = ?", query.project)
    if query.directory is not None:
        add("directory = ?", query.directory)
    if query.path:
        path = query.path.strip("/")
        add(
            "(json_extract(data, '$.path') = ? OR json_extract(data, '$.path') LIKE ? ESCAPE '\\')",
            path,
            _like(path) + "/%",
        )
    if query.roots:
        add("parent IS NULL")
    if query.start is not None:
        add("updated >= ?", query.start)
    if query.before is not None:
        add("updated < ?", query.before)
    if query.search:
        add("json_extract(data, '$.title') LIKE ? ESCAPE '\\'", f"%{_like(query.search)}%")
    if not query.archived:
        add("archived = 0")
    sql = "SELECT id, CAST(data AS BLOB) FROM session"
    if where:
        sql += " WHERE " + " AND ".join(where)
    sql += " ORDER BY updated DESC, seq DESC"
    if query.limit is not None:
        sql += " LIMIT ?"
        params.append(query.limit)
    return sql, params


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
