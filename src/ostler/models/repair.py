"""A conversation as providers insist on it: every call has its result, right after it, and every
result its call."""

from collections.abc import Sequence

from ostler.models.request import ChatMessage, ToolCallBlock, ToolResultBlock

NO_RESULT = "[There is no result of this call: it was interrupted]"


def repaired(messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """The messages; a list of its own where something was missing or too much."""
    kept: list[ChatMessage] = []
    waiting: dict[str, ToolCallBlock] = {}
    whole = True
    for message in messages:
        if message.role == "tool":
            results = [b for b in message.content if isinstance(b, ToolResultBlock)]
            known = tuple(b for b in results if waiting.pop(b.id, None) is not None)
            if len(known) != len(message.content):
                whole = False
                if not known:
                    continue
                message = ChatMessage("tool", known)
        elif waiting:
            kept.append(_interrupted(waiting))
            waiting, whole = {}, False
        if message.role == "assistant":
            waiting = {b.id: b for b in message.content if isinstance(b, ToolCallBlock)}
        kept.append(message)
    if waiting:
        return [*kept, _interrupted(waiting)]
    return messages if whole else kept


def _interrupted(calls: dict[str, ToolCallBlock]) -> ChatMessage:
    return ChatMessage(
        "tool",
        tuple(ToolResultBlock(c.id, c.name, NO_RESULT, failed=True) for c in calls.values()),
    )
