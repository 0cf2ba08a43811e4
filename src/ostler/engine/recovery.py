"""Putting sessions right whose process died in the middle of a turn."""

import msgspec

from ostler import ids
from ostler.schema.errors import aborted_error
from ostler.schema.message import AssistantMessage, AssistantTime, MessagePath, UserMessage
from ostler.schema.part import (
    ToolPart,
    ToolStateError,
    ToolStatePending,
    ToolStateRunning,
    ToolTime,
)
from ostler.schema.session import NO_TOKENS, NOTHING_USED
from ostler.store import Store

MESSAGE = "Interrupted: the process that ran this turn ended before it did"
TOOL_MESSAGE = "Tool execution was interrupted; it may have taken effect"


def recover(store: Store) -> list[str]:
    """Mark what was interrupted, in every session whose turn died with its process; afterwards
    they take new prompts. Returns their ids."""
    abandoned = store.turns.abandoned()
    for session_id in abandoned:
        _settle(store, session_id)
        _release(store, session_id)
        store.turns.settle(session_id)
    store.commit()
    return abandoned


def _settle(store: Store, session_id: str) -> None:
    messages = store.messages.history(session_id)
    now = ids.now_ms()
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolPart) and isinstance(
                part.state, ToolStatePending | ToolStateRunning
            ):
                store.messages.save_part(_interrupted(part, now))
        info = message.info
        if isinstance(info, AssistantMessage) and info.time.completed is None:
            store.messages.save(_failed(info, now))
    last = messages[-1].info if messages else None
    if isinstance(last, UserMessage):
        store.messages.save(_unanswered(store, last, now))


def _release(store: Store, session_id: str) -> None:
    """No call runs any more: nothing is reserved, in the session or above it."""
    session = store.sessions.get(session_id)
    for each in (session, *store.sessions.ancestors(session)):
        if each.budget is not None and each.budget.reserved != NOTHING_USED:
            budget = msgspec.structs.replace(each.budget, reserved=NOTHING_USED)
            store.sessions.save(msgspec.structs.replace(each, budget=budget))


def _interrupted(part: ToolPart, now: int) -> ToolPart:
    state = part.state
    running = isinstance(state, ToolStateRunning)
    start = state.time.start if isinstance(state, ToolStateRunning) else now
    metadata = (state.metadata if isinstance(state, ToolStateRunning) else None) or {}
    return msgspec.structs.replace(
        part,
        state=ToolStateError(
            input=state.input,
            error=TOOL_MESSAGE if running else "Tool execution was interrupted",
            metadata={**metadata, "interrupted": True},
            time=ToolTime(start=start, end=now),
        ),
    )


def _failed(message: AssistantMessage, now: int) -> AssistantMessage:
    return msgspec.structs.replace(
        message,
        error=aborted_error(MESSAGE),
        time=AssistantTime(created=message.time.created, completed=now),
    )


def _unanswered(store: Store, prompt: UserMessage, now: int) -> AssistantMessage:
    """An answer that says why there is none."""
    session = store.sessions.get(prompt.sessionID)
    return AssistantMessage(
        id=ids.new("msg"),
        sessionID=prompt.sessionID,
        time=AssistantTime(created=now, completed=now),
        parentID=prompt.id,
        modelID=prompt.model.modelID,
        providerID=prompt.model.providerID,
        mode=prompt.agent,
        agent=prompt.agent,
        path=MessagePath(cwd=session.directory, root=session.directory),
        cost=0,
        tokens=NO_TOKENS,
        error=aborted_error(MESSAGE),
    )
