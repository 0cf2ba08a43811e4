"""What a prompt changed: the diff of its turn, kept on the user message, and the session's sums."""

from typing import TYPE_CHECKING

import msgspec

from ostler.engine.history import Entry
from ostler.schema.event import SessionDiff
from ostler.schema.message import UserMessage, UserSummary
from ostler.schema.part import StepFinishPart, StepStartPart
from ostler.schema.session import SessionSummary, SnapshotFileDiff

if TYPE_CHECKING:
    from ostler.engine.turn import Turn


async def summarise(turn: "Turn", user_id: str) -> None:
    """Bring the user message's and the session's summary up to date and announce them."""
    history = turn.history.refresh()
    entry = history.entry(user_id)
    if entry is None or not isinstance(entry.message, UserMessage):
        return
    diffs = await _turn_diffs(turn, user_id)
    entry = history.refresh().entry(user_id)
    if entry is None or not isinstance(entry.message, UserMessage):
        return
    user = msgspec.structs.replace(entry.message, summary=UserSummary(diffs=diffs))
    instance = turn.instance
    others = [d for id, each in history.diffs.items() if id != user_id for d in each]
    session = turn.session()
    instance.store.sessions.save(
        msgspec.structs.replace(session, summary=_totals([*others, *diffs]))
    )
    instance.bus.publish(
        SessionDiff(sessionID=turn.session_id, diff=diffs),
        instance.location,
        size=sum(len(d.patch or "") for d in diffs),
    )
    instance.store.messages.save(user)


async def _turn_diffs(turn: "Turn", user_id: str) -> list[SnapshotFileDiff]:
    """From the first snapshot of the answers to the last."""
    first, last = _span(turn.history.entries, user_id)
    if first is None or last is None or first == last:
        return []
    return await turn.instance.snapshots.diff(first, last)


def _span(entries: list[Entry], user_id: str) -> tuple[str | None, str | None]:
    """Answers come after what they answer: from the end back to there."""
    answers = []
    for entry in reversed(entries):
        if entry.message.id == user_id:
            break
        if getattr(entry.message, "parentID", None) == user_id:
            answers.append(entry)
    first = last = None
    for entry in reversed(answers):
        for part in entry.parts:
            if isinstance(part, StepStartPart) and part.snapshot and first is None:
                first = part.snapshot
            if isinstance(part, StepFinishPart) and part.snapshot:
                last = part.snapshot
    return first, last


def _totals(diffs: list[SnapshotFileDiff]) -> SessionSummary:
    return SessionSummary(
        additions=sum(d.additions for d in diffs),
        deletions=sum(d.deletions for d in diffs),
        files=len({d.file for d in diffs}),
    )
