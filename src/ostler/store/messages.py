"""Message and part rows."""

from collections.abc import Sequence

import msgspec

from ostler import ids
from ostler.events import Event, Location
from ostler.schema.errors import BadRequest, NotFound
from ostler.schema.event import (
    MessagePartRemoved,
    MessagePartUpdated,
    MessageRemoved,
    MessageUpdated,
)
from ostler.schema.message import Message, MessageWithParts
from ostler.schema.part import Part
from ostler.store.codec import (
    encode,
    message_decoder,
    message_ids,
    part_decoder,
    part_ids,
    restore,
    strip,
)
from ostler.store.database import Database
from ostler.store.sessions import Sessions, bury

REMEMBERED_PLACES = 1_024


class Page(msgspec.Struct, frozen=True):
    """``json``: an array of {info, parts}, oldest first. ``older``: the oldest message shown, when
    there are older ones still."""

    json: bytes
    older: Message | None = None


class Changes(msgspec.Struct, frozen=True):
    """``messages``: (place, change number, message); ``rev``: the newest change, of any session;
    ``removals`` counts what this process deleted in the session so far."""

    messages: list[tuple[int, int, Message]]
    parts: list[Part]
    rev: int
    removals: int


class Messages:
    def __init__(self, db: Database, sessions: Sessions) -> None:
        self._db, self._sessions = db, sessions
        self._removals: dict[str, int] = {}
        self._places: dict[str, int] = {}
        db.when_stale(self._places.clear)

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def history(self, session_id: str, after_seq: int = 0) -> list[MessageWithParts]:
        """A session's messages in server order, those after place ``after_seq`` only.
        Raises NotFound."""
        known = self._sessions.known(session_id)
        rows = self._rows(known.seq, "AND seq > ? ORDER BY seq", (after_seq,))
        parts = self._parts(known.seq, rows)
        return [
            MessageWithParts(
                info=_message(session_id, message_id, data),
                parts=[_part(session_id, message_id, i, d) for i, d in parts.get(seq, ())],
            )
            for seq, message_id, data in rows
        ]

    def changed(self, session_id: str, after_rev: int) -> Changes:
        """What changed in a session since change ``after_rev``. Raises NotFound."""
        # The ``+`` keep SQLite on the index of ``rev``: it finds the few changes there are.
        known = self._sessions.known(session_id)
        newest, removals = self._db.newest(), self._removals.get(session_id, 0)
        if after_rev and newest <= after_rev:
            return Changes([], [], after_rev, removals)
        messages = [
            (seq, rev, _message(session_id, message_id, data))
            for seq, rev, message_id, data in self._db.rows(
                "SELECT seq, rev, id, CAST(data AS BLOB) FROM message"
                " WHERE +session = ? AND rev > ? ORDER BY +seq"
                if after_rev
                else "SELECT seq, rev, id, CAST(data AS BLOB) FROM message"
                " WHERE session = ? AND rev > ? ORDER BY seq",
                (known.seq, after_rev),
            )
        ]
        rows = self._db.rows(
            "SELECT p.rev, m.id, p.id, CAST(p.data AS BLOB) FROM part p"
            " JOIN message m ON m.seq = p.message"
            + (" WHERE +p.session = ?" if after_rev else " WHERE p.session = ?")
            + " AND p.rev > ? ORDER BY p.message, p.seq",
            (known.seq, after_rev),
        )
        return Changes(
            messages=messages,
            parts=[_part(session_id, m, p, data) for _, m, p, data in rows],
            rev=newest,
            removals=removals,
        )

    def get(self, session_id: str, message_id: str) -> MessageWithParts:
        """Raises NotFound for the session or the message."""
        known = self._sessions.known(session_id)
        rows = self._rows(known.seq, "AND id = ?", (message_id,))
        if not rows:
            raise NotFound(f"Message not found: {message_id}")
        parts = self._parts(known.seq, rows)
        return MessageWithParts(
            info=_message(session_id, message_id, rows[0][2]),
            parts=[_part(session_id, message_id, i, d) for i, d in parts.get(rows[0][0], ())],
        )

    def page(self, session_id: str, limit: int | None = None, before: str | None = None) -> Page:
        """The newest ``limit`` messages (all when None), or the newest before message ``before``.
        Raises NotFound."""
        known = self._sessions.known(session_id)
        where, params = "", []
        if before is not None:
            place = self._db.row(
                "SELECT seq FROM message WHERE id = ? AND session = ?", (before, known.seq)
            )
            if place is None:
                raise NotFound(f"Message not found: {before}")
            where, params = "AND seq < ?", [place[0]]
        if limit is None:
            rows = self._rows(known.seq, where + " ORDER BY seq", params)
            return Page(self._assemble(session_id, known.seq, rows))
        rows = self._rows(known.seq, where + " ORDER BY seq DESC LIMIT ?", [*params, limit + 1])
        more = len(rows) > limit
        rows = rows[:limit][::-1]
        older = _message(session_id, rows[0][1], rows[0][2]) if more and rows else None
        return Page(self._assemble(session_id, known.seq, rows), older)

    def seq(self, session_id: str, message_id: str) -> int:
        """A message's place in the server's order. Raises NotFound."""
        known = self._sessions.known(session_id)
        row = self._db.row(
            "SELECT seq FROM message WHERE id = ? AND session = ?", (message_id, known.seq)
        )
        if row is None:
            raise NotFound(f"Message not found: {message_id}")
        return int(row[0])

    def exists(self, message_id: str) -> bool:
        return self._db.row("SELECT 1 FROM message WHERE id = ?", (message_id,)) is not None

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def save(self, message: Message) -> None:
        """Insert or update. Raises NotFound for the session, BadRequest when the id belongs to a
        message of another session."""
        known = self._sessions.known(message.sessionID)
        seq = self._db.next_seq()
        json = encode(message)
        touched = self._db.write(
            "INSERT INTO message (seq, rev, session, id, data) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET rev = excluded.rev, data = excluded.data"
            " WHERE session = excluded.session",
            (
                seq,
                seq,
                known.seq,
                message.id,
                strip(json, message_ids(message.sessionID, message.id)),
            ),
        )
        if touched != 1:
            raise BadRequest(f"messageID {message.id} belongs to another session")
        encoded = b'{"sessionID":"%b","info":%b}' % (message.sessionID.encode(), json)
        properties = MessageUpdated(sessionID=message.sessionID, info=message)
        self._db.emit(Event(properties, known.location, encoded), seq)

    def save_part(self, part: Part) -> None:
        """Insert or update. Raises NotFound for the session or the message."""
        known = self._sessions.known(part.sessionID)
        seq = self._db.next_seq()
        json = encode(part)
        self._write_part(part, json, known.seq, seq)
        self._db.emit(_part_event(part, json, known.location), seq)

    def checkpoint_part(self, part: Part) -> None:
        """Store how far a part has come that clients follow by its deltas: no event."""
        known = self._sessions.known(part.sessionID)
        self._write_part(part, encode(part), known.seq, self._db.next_seq())

    def show_part(self, part: Part) -> None:
        """Publish a state that is not worth storing: a running tool's progress."""
        known = self._sessions.known(part.sessionID)
        self._db.publish(_part_event(part, encode(part), known.location))

    def _write_part(self, part: Part, json: bytes, session_seq: int, seq: int) -> None:
        message_seq = self._message_seq(part.sessionID, part.messageID)
        data = strip(json, part_ids(part.sessionID, part.messageID, part.id))
        touched = self._db.write(
            "UPDATE part SET rev = ?, data = ? WHERE session = ? AND message = ? AND id = ?",
            (seq, data, session_seq, message_seq, part.id),
        )
        if touched == 0:
            self._db.write(
                "INSERT INTO part (seq, rev, session, message, id, data) VALUES (?, ?, ?, ?, ?, ?)",
                (seq, seq, session_seq, message_seq, part.id, data),
            )

    def _message_seq(self, session_id: str, message_id: str) -> int:
        """``seq``, remembered for the messages that are being written."""
        place = self._places.get(message_id)
        if place is None:
            if len(self._places) >= REMEMBERED_PLACES:
                self._places.clear()
            place = self._places[message_id] = self.seq(session_id, message_id)
        return place

    def remove(self, session_id: str, message_id: str) -> None:
        """Delete a message and its parts, if it is there. Raises NotFound for the session."""
        known = self._sessions.known(session_id)
        row = self._db.row(
            "SELECT seq FROM message WHERE id = ? AND session = ?", (message_id, known.seq)
        )
        if row is None:
            return
        self._db.write("DELETE FROM part WHERE session = ? AND message = ?", (known.seq, row[0]))
        self._db.write("DELETE FROM message WHERE seq = ?", (row[0],))
        self._places.pop(message_id, None)
        self._removals[session_id] = self._removals.get(session_id, 0) + 1
        properties = MessageRemoved(sessionID=session_id, messageID=message_id)
        seq = self._db.next_seq()
        bury(self._db, seq, known.location, properties.kind, encode(properties))
        self._db.emit(Event(properties, known.location), seq)

    def remove_part(self, session_id: str, message_id: str, part_id: str) -> None:
        """Delete a part, if it is there. Raises NotFound for the session or the message."""
        known = self._sessions.known(session_id)
        message_seq = self.seq(session_id, message_id)
        touched = self._db.write(
            "DELETE FROM part WHERE session = ? AND message = ? AND id = ?",
            (known.seq, message_seq, part_id),
        )
        if touched == 0:
            return
        self._removals[session_id] = self._removals.get(session_id, 0) + 1
        properties = MessagePartRemoved(sessionID=session_id, messageID=message_id, partID=part_id)
        seq = self._db.next_seq()
        bury(self._db, seq, known.location, properties.kind, encode(properties))
        self._db.emit(Event(properties, known.location), seq)

    # ── rows ─────────────────────────────────────────────────────────────────────────────────

    def _rows(
        self, session_seq: int, clause: str, params: Sequence[object]
    ) -> list[tuple[int, str, bytes]]:
        return self._db.rows(
            f"SELECT seq, id, CAST(data AS BLOB) FROM message WHERE session = ? {clause}",
            (session_seq, *params),
        )

    def _parts(
        self, session_seq: int, rows: list[tuple[int, str, bytes]]
    ) -> dict[int, list[tuple[str, bytes]]]:
        if not rows:
            return {}
        parts: dict[int, list[tuple[str, bytes]]] = {}
        for message_seq, part_id, data in self._db.rows(
            "SELECT message, id, CAST(data AS BLOB) FROM part"
            " WHERE session = ? AND message BETWEEN ? AND ? ORDER BY message, seq",
            (session_seq, rows[0][0], rows[-1][0]),
        ):
            parts.setdefault(message_seq, []).append((part_id, data))
        return parts

    def _assemble(
        self, session_id: str, session_seq: int, rows: list[tuple[int, str, bytes]]
    ) -> bytes:
        parts = self._parts(session_seq, rows)
        chunks = []
        for seq, message_id, data in rows:
            body = b",".join(
                restore(d, part_ids(session_id, message_id, i)) for i, d in parts.get(seq, ())
            )
            info = restore(data, message_ids(session_id, message_id))
            chunks.append(b'{"info":%b,"parts":[%b]}' % (info, body))
        return b"[" + b",".join(chunks) + b"]"


def _part_event(part: Part, json: bytes, location: Location) -> Event:
    now = ids.now_ms()
    encoded = b'{"sessionID":"%b","part":%b,"time":%d}' % (part.sessionID.encode(), json, now)
    return Event(
        MessagePartUpdated(sessionID=part.sessionID, part=part, time=now), location, encoded
    )


def _message(session_id: str, message_id: str, data: bytes) -> Message:
    return message_decoder.decode(restore(data, message_ids(session_id, message_id)))


def _part(session_id: str, message_id: str, part_id: str, data: bytes) -> Part:
    return part_decoder.decode(restore(data, part_ids(session_id, message_id, part_id)))
