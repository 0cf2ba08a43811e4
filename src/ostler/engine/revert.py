"""Revert: take a session's files and messages back to a point, until the next prompt makes it
final or ``unrevert`` takes it back."""

from collections.abc import Sequence

import msgspec

from ostler.engine import sessions
from ostler.engine.instance import Instance
from ostler.schema.errors import NotFound
from ostler.schema.event import SessionDiff
from ostler.schema.message import MessageWithParts, UserMessage
from ostler.schema.part import PatchPart, TextPart, ToolPart
from ostler.schema.session import Session, SessionRevert, SessionRevertInput


async def revert(instance: Instance, session_id: str, body: SessionRevertInput) -> Session:
    """Undo the file changes made from the point on and remember the point; messages stay until
    the next prompt. Raises NotFound, SessionBusy."""
    async with instance.runs.exclusively(session_id, announce=False):
        session = instance.store.sessions.get(session_id)
        messages = instance.store.messages.history(session_id)
        point, patches = find_point(messages, body)
        snapshot = session.revert.snapshot if session.revert else None
        if snapshot is not None:
            await instance.snapshots.restore(snapshot)  # from one point to another
        else:
            snapshot = await instance.snapshots.track()
        await instance.snapshots.restore_files(_first_states(patches))
        diffs = await instance.snapshots.diff(snapshot) if snapshot else []
        patch = await instance.snapshots.patch(snapshot) if snapshot else ""
        instance.bus.publish(
            SessionDiff(sessionID=session_id, diff=diffs),
            instance.location,
            size=sum(len(d.patch or "") for d in diffs),
        )
        point = msgspec.structs.replace(point, snapshot=snapshot, diff=patch)
        return sessions.touch(instance, instance.store.sessions.get(session_id), revert=point)


async def unrevert(instance: Instance, session_id: str) -> Session:
    """Bring the files back to where they were before the revert. Raises NotFound, SessionBusy."""
    async with instance.runs.exclusively(session_id, announce=False):
        session = instance.store.sessions.get(session_id)
        if session.revert is None:
            return session
        if session.revert.snapshot is not None:
            await instance.snapshots.restore(session.revert.snapshot)
        return sessions.touch(instance, session, revert=None)


def clean_up(instance: Instance, session: Session) -> Session:
    """Make a revert final: remove the messages, or the parts of one, from its point on."""
    point = session.revert
    if point is None:
        return session
    store = instance.store
    messages = store.messages.history(session.id)
    place = next((i for i, m in enumerate(messages) if m.info.id == point.messageID), None)
    if place is not None:
        first = place
        if point.partID is not None:
            first += 1
            parts = messages[place].parts
            cut = next((i for i, p in enumerate(parts) if p.id == point.partID), len(parts))
            for part in parts[cut:]:
                store.messages.remove_part(session.id, point.messageID, part.id)
        for message in messages[first:]:
            store.messages.remove(session.id, message.info.id)
    return sessions.touch(instance, store.sessions.get(session.id), revert=None)


def find_point(
    messages: Sequence[MessageWithParts], body: SessionRevertInput
) -> tuple[SessionRevert, list[PatchPart]]:
    """Where the revert begins, and the patches it undoes.

    A point inside an answer that leaves nothing readable of it moves up to the prompt it answers,
    and so does what is undone (OpenCode 1.18 leaves the changes in between). Raises NotFound.
    """
    point: SessionRevert | None = None
    patches: list[PatchPart] = []
    since_prompt: list[PatchPart] = []
    prompt_id: str | None = None
    for message in messages:
        if point is None and isinstance(message.info, UserMessage):
            prompt_id = message.info.id
            since_prompt = []
        whole = body.partID is None and message.info.id == body.messageID
        if point is None and whole:
            point = SessionRevert(messageID=prompt_id or message.info.id)
            patches = since_prompt
        readable = False
        for part in message.parts:
            if point is None and part.id == body.partID:
                if readable:
                    point = SessionRevert(messageID=message.info.id, partID=body.partID)
                else:
                    point = SessionRevert(messageID=prompt_id or message.info.id)
                    patches = since_prompt
            if isinstance(part, PatchPart):
                (since_prompt if point is None else patches).append(part)
            readable = readable or isinstance(part, TextPart | ToolPart)
    if point is None:
        wanted = (
            f"Part not found: {body.partID}"
            if body.partID
            else (f"Message not found: {body.messageID}")
        )
        raise NotFound(wanted)
    return point, patches


def _first_states(patches: Sequence[PatchPart]) -> dict[str, str]:
    """File -> the snapshot before the earliest patch that touched it."""
    states: dict[str, str] = {}
    for patch in patches:
        for file in patch.files:
            states.setdefault(file, patch.hash)
    return states
