"""Making, copying and removing sessions."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from ostler import ids
from ostler.engine import budget
from ostler.engine.instance import Instance
from ostler.engine.words import slug
from ostler.schema.errors import BadRequest
from ostler.schema.message import AssistantMessage, MessagePath
from ostler.schema.permission import PermissionRule
from ostler.schema.session import (
    NO_TOKENS,
    NOTHING_USED,
    Budget,
    Session,
    SessionBudget,
    SessionCreateInput,
    SessionModel,
    SessionTime,
    SessionUpdateInput,
    Unattended,
    add_tokens,
)

__all__ = ["NO_TOKENS", "create", "create_from", "delete", "fork", "message_path", "update"]


def create(
    instance: Instance,
    *,
    parent: Session | None = None,
    title: str | None = None,
    agent: str | None = None,
    model: SessionModel | None = None,
    metadata: dict[str, Any] | None = None,
    permission: list[PermissionRule] | None = None,
    unattended: Unattended | None = None,
    budget: Budget | None = None,
) -> Session:
    now = ids.now_ms()
    return instance.store.sessions.create(
        Session(
            id=ids.new("ses"),
            slug=slug(),
            projectID=instance.project.id,
            directory=instance.directory,
            path=_sub_path(instance),
            parentID=parent.id if parent else None,
            title=title or _default_title(now, parent is not None),
            version=instance.version,
            cost=0,
            tokens=NO_TOKENS,
            agent=agent,
            model=model,
            metadata=metadata,
            permission=permission,
            unattended=unattended,
            budget=_granted(budget, None),
            time=SessionTime(created=now, updated=now),
        )
    )


def create_from(instance: Instance, body: SessionCreateInput) -> Session:
    """Raises NotFound for an unknown parent, agent or model."""
    parent_id = body.parentID or body.parent_id
    parent = instance.store.sessions.get(parent_id) if parent_id else None
    if body.agent is not None:
        instance.agent(body.agent)
    if body.model is not None:
        instance.models.get(body.model.providerID, body.model.id)
    policy = body.unattended
    if policy is None:
        policy = parent.unattended if parent else instance.config.unattended
    return create(
        instance,
        parent=parent,
        title=body.title,
        agent=body.agent,
        model=body.model,
        metadata=body.metadata,
        permission=body.permission,
        unattended=Unattended() if policy is True else policy or None,
        budget=body.budget,
    )


def _granted(budget: Budget | None, before: SessionBudget | None) -> SessionBudget | None:
    """A budget with what was spent of the one before."""
    if budget is None:
        return before
    limits = {name: getattr(budget, name) for name in Budget.__struct_fields__}
    return msgspec.structs.replace(
        before or SessionBudget(spent=NOTHING_USED, reserved=NOTHING_USED), **limits
    )


def update(instance: Instance, session_id: str, body: SessionUpdateInput) -> Session:
    """Rules are appended to those there are; an archived time of None changes nothing.
    Raises NotFound."""
    session = instance.store.sessions.get(session_id)
    changes: dict[str, Any] = {}
    if body.title is not None:
        changes["title"] = body.title
    if body.metadata is not None:
        changes["metadata"] = body.metadata
    if body.permission is not None:
        changes["permission"] = [*(session.permission or ()), *body.permission]
    if body.budget is not None:
        changes["budget"] = _granted(body.budget, session.budget or budget.opened(session))
    archived = session.time.archived
    if body.time is not None and body.time.archived is not None:
        archived = body.time.archived
    changes["time"] = msgspec.structs.replace(session.time, updated=ids.now_ms(), archived=archived)
    return instance.store.sessions.save(msgspec.structs.replace(session, **changes))


async def delete(instance: Instance, session_id: str) -> None:
    """Abort what runs in the session and below it, then delete it all. Raises NotFound."""
    store = instance.store
    store.sessions.get(session_id)
    for child in store.sessions.children(session_id):
        await delete(instance, child.id)
    await instance.runs.abort(session_id)
    instance.runs.histories.drop(session_id)
    store.sessions.delete(session_id)


def fork(instance: Instance, session_id: str, message_id: str | None) -> Session:
    """A copy with the messages before ``message_id``, all of them when None. Raises NotFound."""
    store = instance.store
    original = store.sessions.get(session_id)
    messages = store.messages.history(session_id)
    if message_id is not None:
        place = next((i for i, m in enumerate(messages) if m.info.id == message_id), None)
        if place is None:
            raise BadRequest(f"messageID {message_id} is no message of session {session_id}")
        messages = messages[:place]
    copy = create(
        instance,
        title=_forked_title(original.title),
        metadata=original.metadata,
        permission=original.permission,
        unattended=original.unattended,
    )
    renamed = {m.info.id: ids.new("msg") for m in messages}
    for message in messages:
        info = message.info
        changes: dict[str, Any] = {"id": renamed[info.id], "sessionID": copy.id}
        if isinstance(info, AssistantMessage):
            changes["parentID"] = renamed.get(info.parentID, info.parentID)
        store.messages.save(msgspec.structs.replace(info, **changes))
        for part in message.parts:
            own = {
                "id": ids.new("prt"),
                "sessionID": copy.id,
                "messageID": renamed[info.id],
            }
            tail = getattr(part, "tail_start_id", None)
            if tail is not None:
                own["tail_start_id"] = renamed.get(tail, tail)
            store.messages.save_part(msgspec.structs.replace(part, **own))
    answers = [m.info for m in messages if isinstance(m.info, AssistantMessage)]
    tokens = NO_TOKENS
    for answer in answers:
        tokens = add_tokens(tokens, answer.tokens)
    store.sessions.save(
        msgspec.structs.replace(copy, cost=sum(a.cost for a in answers), tokens=tokens)
    )
    return copy


def message_path(instance: Instance) -> MessagePath:
    return MessagePath(cwd=instance.directory, root=instance.worktree)


def touch(instance: Instance, session: Session, **changes: Any) -> Session:
    """Store the session with ``changes`` and a fresh time of update."""
    time = msgspec.structs.replace(session.time, updated=ids.now_ms())
    return instance.store.sessions.save(msgspec.structs.replace(session, time=time, **changes))


def _default_title(now: int, child: bool) -> str:
    stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{'Child' if child else 'New'} session - {stamp}.{now % 1000:03d}Z"


def _forked_title(title: str) -> str:
    base, mark, number = title.rpartition(" (fork #")
    if mark and number.endswith(")") and number[:-1].isdecimal():
        return f"{base} (fork #{int(number[:-1]) + 1})"
    return f"{title} (fork #1)"


def _sub_path(instance: Instance) -> str:
    """The directory relative to the worktree, empty at its root and outside version control."""
    root = instance.worktree.rstrip("/")
    if instance.directory == root:
        return ""
    return instance.directory.removeprefix(root + "/")
