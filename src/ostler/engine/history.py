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
from ostler.schema.session import SnapshotFileDiff
from ostler.store import Store

KEPT_SESSIONS = 16
"""Sessions whose conversation stays in memory between turns."""
KEPT_MESSAGES = 1_000
"""Messages that stay in memory between turns, over all those sessions."""


class Entry(msgspec.Struct, eq=False):
    """One message; ``chat`` is its translation for a model, by model, dropped when it changes (see
    ``translates_alike``)."""

    seq: int
    message: Message
    parts: list[Part]
    chat: dict[str, tuple[ChatMessage, ...]] = {}


class Translated(msgspec.Struct, eq=False):
    """Entries as chat messages for a model (``key``): ``ends`` has how many there are up to each
    entry, ``places`` an entry's position by its message's id."""

    key: str
    entries: list[Entry] = []
    messages: list[ChatMessage] = []
    ends: list[int] = []
    places: dict[str, int] = {}


class History:
    """The messages of one session, oldest first. What a step needs of all of them is kept up to
    date here instead of being looked for: ``agents`` that have answered, ``diffs`` by the prompt
    that caused them, and the last translation, with the ids of what has changed since
    (``stale``)."""

    def __init__(self, store: Store, session_id: str) -> None:
        self._store, self._session_id = store, session_id
        self._clear()

    def _clear(self) -> None:
        self.entries: list[Entry] = []
        self._by_id: dict[str, Entry] = {}
        self._rev = 0
        self._removals = 0
        self._has_summary = False
        self.agents: set[str] = set()
        self.diffs: dict[str, list[SnapshotFileDiff]] = {}
        self.translated: Translated | None = None
        self.stale: set[str] = set()

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
                if not _translates_alike(entry.message, message):
                    self._forget_translation(entry)
                entry.message = message
            self._note(message)
        for part in changes.parts:
            self._put_part(part)
        self._rev, self._removals = changes.rev, changes.removals
        return self

    def _note(self, message: Message) -> None:
        if isinstance(message, AssistantMessage):
            self.agents.add(message.agent)
            self._has_summary = self._has_summary or bool(message.summary)
        elif message.summary and message.summary.diffs:
            self.diffs[message.id] = message.summary.diffs
        else:
            self.diffs.pop(message.id, None)

    def _forget_translation(self, entry: Entry) -> None:
        entry.chat = {}
        self.stale.add(entry.message.id)

    def _put_part(self, part: Part) -> None:
        entry = self._by_id.get(part.messageID)
        if entry is None:
            return
        self._forget_translation(entry)
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
        if not self._has_summary:
            return self.entries
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


def _translates_alike(old: Message, new: Message) -> bool:
    """Whether a model is shown the same of both, their parts being the same."""
    if isinstance(old, UserMessage) or isinstance(new, UserMessage):
        return isinstance(old, UserMessage) and isinstance(new, UserMessage)
    return (old.error, old.providerID, old.modelID) == (new.error, new.providerID, new.modelID)


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
