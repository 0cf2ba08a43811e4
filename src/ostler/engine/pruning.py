"""Pruning: old tool results that will hardly be needed are shown to the model as a placeholder.

Only with ``compaction.prune: true``. Numbers: OpenCode 1.18.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ostler import ids
from ostler.engine.history import Entry, is_user
from ostler.engine.tokens import estimate
from ostler.schema.message import AssistantMessage
from ostler.schema.part import ToolPart, ToolStateCompleted

if TYPE_CHECKING:
    from ostler.engine.turn import Turn

KEPT = 40_000
"""Tokens of the newest tool results that are never pruned."""
WORTHWHILE = 20_000
"""Tokens that pruning must free to be done at all."""
KEPT_TURNS = 2
EXEMPT = frozenset(("skill",))


def prune(turn: "Turn") -> None:
    config = turn.instance.config.compaction
    if config is None or not config.prune:
        return
    now = ids.now_ms()
    for part in prunable(turn.history.refresh().entries):
        assert isinstance(part.state, ToolStateCompleted)
        time = msgspec.structs.replace(part.state.time, compacted=now)
        state = msgspec.structs.replace(part.state, time=time)
        turn.instance.store.messages.save_part(msgspec.structs.replace(part, state=state))


def prunable(entries: Sequence[Entry]) -> list[ToolPart]:
    """The results to clear, newest first; none where it would not be worth it."""
    found: list[ToolPart] = []
    turns = seen = freed = 0
    for entry in reversed(entries):
        turns += is_user(entry)
        if turns < KEPT_TURNS:
            continue
        if isinstance(entry.message, AssistantMessage) and entry.message.summary:
            break
        for part in reversed(entry.parts):
            if not isinstance(part, ToolPart) or part.tool in EXEMPT:
                continue
            if not isinstance(part.state, ToolStateCompleted):
                continue
            if part.state.time.compacted:
                return found if freed > WORTHWHILE else []
            size = estimate(part.state.output)
            seen += size
            if seen > KEPT:
                freed += size
                found.append(part)
    return found if freed > WORTHWHILE else []
