"""Stored messages to what a model is shown."""

from collections.abc import Sequence

from ostler.engine.history import Entry, History, Translated
from ostler.models.request import (
    Block,
    ChatMessage,
    MediaBlock,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from ostler.schema.errors import MessageAbortedError
from ostler.schema.message import AssistantMessage
from ostler.schema.part import (
    CompactionPart,
    FilePart,
    Part,
    ReasoningPart,
    SubtaskPart,
    TextPart,
    ToolPart,
    ToolStateCompleted,
    ToolStateError,
)
from ostler.schema.provider import Model

CLEARED = "[This tool result was cleared to save context]"
INTERRUPTED = "[The tool call was interrupted before it finished]"
COMPACTION_PROMPT = "Summarise what has been done so far."
SUBTASK_PROMPT = "The user ran the following tool."

_EXPANDED = ("text/plain", "application/x-directory")
"""File parts whose content stands beside them as text already."""


def conversation(entries: Sequence[Entry], model: Model) -> list[ChatMessage]:
    """The entries as chat messages, oldest first. Translations are kept on the entries."""
    key = _key(model)
    return [message for entry in entries for message in _translated(entry, model, key)]


def continued(history: History, entries: Sequence[Entry], model: Model) -> list[ChatMessage]:
    """``conversation``, going on from where the last one of this history was, as far as nothing
    has changed since: a long session's step costs what a short one's does."""
    key, last = _key(model), history.translated
    if last is None or last.key != key:
        last = history.translated = Translated(key)
    same = min((last.places[id] for id in history.stale if id in last.places), default=None)
    same = len(last.entries) if same is None else same
    while last.entries[:same] != entries[:same]:  # compared in C, by identity
        same //= 2
    _cut(last, same)
    history.stale.clear()
    for entry in entries[same:]:
        last.places[entry.message.id] = len(last.entries)
        last.entries.append(entry)
        last.messages.extend(_translated(entry, model, key))
        last.ends.append(len(last.messages))
    return list(last.messages)


def _cut(translated: Translated, length: int) -> None:
    for entry in translated.entries[length:]:
        translated.places.pop(entry.message.id, None)
    del translated.entries[length:]
    del translated.ends[length:]
    del translated.messages[translated.ends[-1] if translated.ends else 0 :]


def _key(model: Model) -> str:
    return f"{model.providerID}/{model.id}"


def _translated(entry: Entry, model: Model, key: str) -> tuple[ChatMessage, ...]:
    translated = entry.chat.get(key)
    if translated is None:
        translated = entry.chat[key] = tuple(_translate(entry, model))
    return translated


def _translate(entry: Entry, model: Model) -> list[ChatMessage]:
    if isinstance(entry.message, AssistantMessage):
        return _assistant(entry.message, entry.parts, model)
    blocks = [b for part in entry.parts if (b := _user_block(part, model)) is not None]
    return [ChatMessage("user", tuple(blocks))] if blocks else []


def _user_block(part: Part, model: Model) -> Block | None:
    if isinstance(part, TextPart):
        return TextBlock(part.text) if part.text and not part.ignored else None
    if isinstance(part, FilePart):
        return None if part.mime in _EXPANDED else _media(part, model)
    if isinstance(part, CompactionPart):
        return TextBlock(COMPACTION_PROMPT)
    if isinstance(part, SubtaskPart):
        return TextBlock(SUBTASK_PROMPT)
    return None


def _assistant(message: AssistantMessage, parts: Sequence[Part], model: Model) -> list[ChatMessage]:
    if message.error is not None and not (
        isinstance(message.error, MessageAbortedError)
        and any(isinstance(p, TextPart | ToolPart) for p in parts)
    ):
        return []
    same_model = message.providerID == model.providerID and message.modelID == model.id
    blocks: list[Block] = []
    results: list[ToolResultBlock] = []
    for part in parts:
        if isinstance(part, TextPart) and part.text:
            blocks.append(TextBlock(part.text))
        elif isinstance(part, ReasoningPart) and same_model:
            blocks.append(ReasoningBlock(part.text, part.metadata or {}))
        elif isinstance(part, ToolPart):
            metadata = (part.metadata or {}) if same_model else {}
            blocks.append(ToolCallBlock(part.callID, part.tool, part.state.input, metadata))
            results.append(_result(part, model))
    if not any(isinstance(b, TextBlock | ToolCallBlock) for b in blocks):
        return []
    messages = [ChatMessage("assistant", tuple(blocks))]
    if results:
        messages.append(ChatMessage("tool", tuple(results)))
    return messages


def _result(part: ToolPart, model: Model) -> ToolResultBlock:
    state = part.state
    if isinstance(state, ToolStateCompleted):
        if state.time.compacted:
            return ToolResultBlock(part.callID, part.tool, CLEARED)
        attached = [_media(f, model) for f in state.attachments or ()]
        notes = "".join(f"\n\n{b.text}" for b in attached if isinstance(b, TextBlock))
        media = tuple(b for b in attached if isinstance(b, MediaBlock))
        return ToolResultBlock(part.callID, part.tool, state.output + notes, media=media)
    if isinstance(state, ToolStateError):
        output = (state.metadata or {}).get("output")
        text = f"{state.error}\n\n{output}" if output else state.error
        return ToolResultBlock(part.callID, part.tool, text, failed=True)
    return ToolResultBlock(part.callID, part.tool, INTERRUPTED, failed=True)


def _media(part: FilePart, model: Model) -> TextBlock | MediaBlock:
    """The file itself, or a note where the model cannot take its kind."""
    kind = "pdf" if part.mime == "application/pdf" else part.mime.partition("/")[0]
    name = part.filename or kind
    accepted = getattr(model.capabilities.input, kind, False)
    if not accepted:
        return TextBlock(
            f"ERROR: Cannot read {name}: this model takes no {kind} input. Tell the user."
        )
    if part.url.endswith(";base64,"):
        return TextBlock(f"ERROR: {name} is empty. Ask the user for a valid file.")
    return MediaBlock(part.mime, part.url, part.filename)
