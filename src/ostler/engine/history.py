"""A session's conversation in memory while it is being worked on, kept in step with the store.

``refresh`` reads only what changed, so a step in a long session costs what a step in a short one
does. Order is the store's.
"""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from ostler.models.request import ChatMessage
from ostler.schema.message import AssistantMessage, Message, UserMessage
from ostler.schema.part import CompactionPart, Part
from ostler.store import Store

KEPT_SESSIONS = 16
"""Sessions whose conversation stays in memory between turns."""
KEPT_MESSAGES = 1_000
"""Messages that stay in memory between turns, over all those sessions."""


class Entry(msgspec.Struct, eq=False):
    """One message; ``chat`` is its translation for a model, by model, dropped when it changes."""

    seq: int
    message: Message
    parts: list[Part]
    chat: dict[str, tuple[ChatMessage, ...]] = {}


class History:
    """The messages of one session, oldest first."""

    def __init__(self, store: Store, session_id: str) -> None:
        self._store, self._session_id = store, session_id
        self._clear()

    def _clear(self) -> None:
        self.entries: list[Entry] = []
        self._by_id: dict[str, Entry] = {}
        self._rev = 0
        self._removals = 0

    def refresh(self) -> "History":
        """Catch up with the store. Raises NotFound when the session is gone."""
        changes = self._store.messages.changed(self._session_id, self._rev)
        if changes.removals != self._removals and self._rev:
            self._clear()
            changes = self._store.messages.changed(self._session_id, 0)
        for seq, _, message in changes.messages:
            entry = self._by_id.get(message.id)
            if entry is None:
                entry = self._by_id[message.id] = Entry(seq, message, [])
                self.entries.append(entry)
            else:
                entry.message = message
                entry.chat = {}
        for part in changes.parts:
            self._put_part(part)
        self._rev, self._removals = changes.rev, changes.removals
        return self

    def _put_part(self, part: Part) -> None:
        entry = self._by_id.get(part.messageID)
        if entry is None:
            return
        entry.chat = {}
        for index, known in enumerate(entry.parts):
            if known.id == part.id:
                entry.parts[index] = part
                return
        entry.parts.append(part)

    def entry(self, message_id: str) -> Entry | None:
        return self._by_id.get(message_id)

    def last_user(self) -> Entry | None:
        return next((e for e in reversed(self.entries) if is_user(e)), None)

    def active(self) -> Sequence[Entry]:
        """From the last finished compaction on: its request, its summary, the tail it kept, and
        what came after. Everything, where there was none."""
        for index in range(len(self.entries) - 1, -1, -1):
            found = self._compaction_at(index)
            if found is not None:
                return found
        return self.entries

    def _compaction_at(self, index: int) -> list[Entry] | None:
        entry = self.entries[index]
        message = entry.message
        if not (
            isinstance(message, AssistantMessage)
            and message.summary
            and message.finish
            and message.error is None
        ):
            return None
        request = self._by_id.get(message.parentID)
        if request is None:
            return None
        mark = next((p for p in request.parts if isinstance(p, CompactionPart)), None)
        if mark is None:
            return None
        tail: list[Entry] = []
        if mark.tail_start_id is not None:
            start = self._by_id.get(mark.tail_start_id)
            if start is not None:
                tail = [e for e in self.entries if start.seq <= e.seq < request.seq]
        rest = [e for e in self.entries[index + 1 :] if e is not request]
        between = [
            e for e in self.entries[:index] if e.seq > request.seq and e is not entry
        ]  # prompts that arrived while the summary was being written
        return [request, entry, *tail, *between, *rest]


def is_user(entry: Entry) -> bool:
    return isinstance(entry.message, UserMessage)


class Histories:
    """Conversations kept between turns, the most recently used ones only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, History] = OrderedDict()

    def of(self, session_id: str) -> History:
        """The session's conversation, up to date. Raises NotFound."""
        history = self._kept.pop(session_id, None) or History(self._store, session_id)
        self._kept[session_id] = history
        history.refresh()
        self._trim()
        return history

    def drop(self, session_id: str) -> None:
        self._kept.pop(session_id, None)

    def clear(self) -> None:
        self._kept.clear()

    def _trim(self) -> None:
        while len(self._kept) > KEPT_SESSIONS or (
            len(self._kept) > 1 and sum(len(h.entries) for h in self._kept.values()) > KEPT_MESSAGES
        ):
            self._kept.popitem(last=False)
