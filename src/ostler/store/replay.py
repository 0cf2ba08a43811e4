"""What changed after a given number: the durable events a client that reconnects has missed.

Rebuilt from the rows themselves, so nothing is stored twice: each changed record appears once, in
its present state, in the order the records were created.
"""

from collections.abc import Iterator

import msgspec

from ostler import ids
from ostler.events import Event, Location
from ostler.schema.event import (
    MessagePartRemoved,
    MessagePartUpdated,
    MessageRemoved,
    MessageUpdated,
    Properties,
    SessionDeleted,
    SessionUpdated,
)
from ostler.store.codec import (
    message_decoder,
    message_ids,
    part_decoder,
    part_ids,
    restore,
    session_decoder,
    session_ids,
)
from ostler.store.database import Database

_REMOVALS: dict[str, msgspec.json.Decoder[Properties]] = {
    kind.kind: msgspec.json.Decoder(kind)
    for kind in (SessionDeleted, MessageRemoved, MessagePartRemoved)
}


class Replay:
    def __init__(self, db: Database) -> None:
        self._db = db

    def since(self, seq: int, directory: str | None = None) -> Iterator[Event]:
        """Events for every record changed after ``seq``, of one directory or of all."""
        yield from self._removed(seq, directory)
        yield from self._sessions(seq, directory)
        yield from self._messages(seq, directory)
        yield from self._parts(seq, directory)

    def _removed(self, seq: int, directory: str | None) -> Iterator[Event]:
        for place, project, kind, properties in self._db.rows(
            "SELECT directory, project, kind, properties FROM tombstone"
            " WHERE seq > ? AND (?2 IS NULL OR directory = ?2) ORDER BY seq",
            (seq, directory),
        ):
            decoded = _REMOVALS[kind].decode(properties)
            yield Event(decoded, Location(place, project))

    def _sessions(self, seq: int, directory: str | None) -> Iterator[Event]:
        for session_id, place, project, data in self._db.rows(
            "SELECT id, directory, project, CAST(data AS BLOB) FROM session"
            " WHERE rev > ? AND (?2 IS NULL OR directory = ?2) ORDER BY seq",
            (seq, directory),
        ):
            session = session_decoder.decode(restore(data, session_ids(session_id)))
            yield Event(
                SessionUpdated(sessionID=session_id, info=session), Location(place, project)
            )

    def _messages(self, seq: int, directory: str | None) -> Iterator[Event]:
        for session_id, place, project, message_id, data in self._db.rows(
            "SELECT s.id, s.directory, s.project, m.id, CAST(m.data AS BLOB)"
            " FROM message m JOIN session s ON s.seq = m.session"
            " WHERE m.rev > ? AND (?2 IS NULL OR s.directory = ?2) ORDER BY m.seq",
            (seq, directory),
        ):
            message = message_decoder.decode(restore(data, message_ids(session_id, message_id)))
            yield Event(
                MessageUpdated(sessionID=session_id, info=message), Location(place, project)
            )

    def _parts(self, seq: int, directory: str | None) -> Iterator[Event]:
        for session_id, place, project, message_id, part_id, data in self._db.rows(
            "SELECT s.id, s.directory, s.project, m.id, p.id, CAST(p.data AS BLOB)"
            " FROM part p JOIN message m ON m.seq = p.message JOIN session s ON s.seq = p.session"
            " WHERE p.rev > ? AND (?2 IS NULL OR s.directory = ?2) ORDER BY p.seq",
            (seq, directory),
        ):
            part = part_decoder.decode(restore(data, part_ids(session_id, message_id, part_id)))
            yield Event(
                MessagePartUpdated(sessionID=session_id, part=part, time=ids.now_ms()),
                Location(place, project),
            )
