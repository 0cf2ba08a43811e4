"""A conversation as providers insist on it: every call has its result, right after it, and every
result its call."""

from collections.abc import Sequence

from ostler.models.grown import after_system, known, note
from ostler.models.request import ChatMessage, ToolCallBlock, ToolResultBlock

NO_RESULT = "[There is no result of this call: it was interrupted]"


def repaired(messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """The messages; a list of its own where something was missing or too much."""
    spoken = messages[(lead := after_system(messages)) :]
    good, _ = known(spoken, "repaired")
    kept: list[ChatMessage] = list(messages[: lead + good])
    waiting: dict[str, ToolCallBlock] = {}
    whole = True
    for message in spoken[good:]:
        if message.role == "tool":
            results = [b for b in message.content if isinstance(b, ToolResultBlock)]
            asked = tuple(b for b in results if waiting.pop(b.id, None) is not None)
            if len(asked) != len(message.content):
                whole = False
                if not asked:
                    continue
                message = ChatMessage("tool", asked)
        elif waiting:
            kept.append(_interrupted(waiting))
            waiting, whole = {}, False
        if message.role == "assistant":
            waiting = {b.id: b for b in message.content if isinstance(b, ToolCallBlock)}
        kept.append(message)
    if waiting:
        return [*kept, _interrupted(waiting)]
    if not whole:
        return kept
    note(spoken, len(spoken), "repaired", True)
    return messages


def _interrupted(calls: dict[str, ToolCallBlock]) -> ChatMessage:
    return ChatMessage(
        "tool",
        tuple(ToolResultBlock(c.id, c.name, NO_RESULT, failed=True) for c in calls.values()),
    )
