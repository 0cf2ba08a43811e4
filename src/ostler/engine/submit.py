"""The ways into a session: a prompt, a compaction, and what must be settled before either."""

import msgspec

from ostler import ids
from ostler.engine import hooks, input, revert, sessions
from ostler.engine.instance import Instance
from ostler.schema.agent import Agent
from ostler.schema.errors import NotFound, SessionBusy, unknown_error
from ostler.schema.event import SessionErrored
from ostler.schema.message import (
    AssistantMessage,
    MessageWithParts,
    PromptInput,
    UserMessage,
    UserModel,
    UserTime,
)
from ostler.schema.part import CompactionPart
from ostler.schema.permission import PermissionRule
from ostler.schema.provider import Model
from ostler.schema.session import Session, SessionModel


async def prompt(instance: Instance, session_id: str, body: PromptInput) -> MessageWithParts:
    """Store a prompt and wait for its answer: the newest assistant message, errors included; the
    prompt itself with ``noReply``.

    Raises NotFound (session, agent, model), BadRequest (parts, ids), SessionBusy, DiskLow.
    """
    stored = await accept(instance, session_id, body)
    if body.noReply:
        return stored
    return await instance.runs.answer(session_id)


async def accept(instance: Instance, session_id: str, body: PromptInput) -> MessageWithParts:
    """Store a prompt without waiting for an answer. Raises as ``prompt`` does."""
    instance.disk.check()
    session = instance.store.sessions.get(session_id)
    try:
        agent = choose_agent(instance, session, body.agent)
        model = choose_model(instance, session, body, agent)
    except NotFound as e:
        instance.bus.publish(
            SessionErrored(sessionID=session_id, error=unknown_error(str(e))), instance.location
        )
        raise
    if session.revert is not None:
        if instance.runs.busy(session_id):
            raise SessionBusy(session_id)
        session = revert.clean_up(instance, session)
    expanded = await input.expand(instance, session, body, agent, model)
    ready = await hooks.received(instance, body, expanded.message, expanded.parts)
    session = _remember_choice(instance, session_id, body, agent, ready.message)
    store = instance.store
    store.messages.save(ready.message)
    for part in ready.parts:
        store.messages.save_part(part)
    sessions.touch(instance, session)
    return MessageWithParts(info=ready.message, parts=ready.parts)


async def summarize(instance: Instance, session_id: str, model: Model, auto: bool = False) -> None:
    """Compact a session now and wait until that is done. Raises NotFound, SessionBusy,
    DiskLow."""
    instance.disk.check()
    session = instance.store.sessions.get(session_id)
    if session.revert is not None:
        session = revert.clean_up(instance, session)
    agent = choose_agent(instance, session, None)
    message = UserMessage(
        id=ids.new("msg"),
        sessionID=session_id,
        time=UserTime(created=ids.now_ms()),
        agent=agent.name,
        model=UserModel(providerID=model.providerID, modelID=model.id),
    )
    instance.store.messages.save(message)
    instance.store.messages.save_part(
        CompactionPart(id=ids.new("prt"), sessionID=session_id, messageID=message.id, auto=auto)
    )
    await instance.runs.answer(session_id)


def choose_agent(instance: Instance, session: Session, wanted: str | None) -> Agent:
    """The prompt's agent, else the session's, else the default. Raises NotFound."""
    if wanted is not None:
        return instance.agent(wanted)
    if session.agent is not None and session.agent in instance.agents:
        return instance.agents[session.agent]
    return instance.default_agent()


def choose_model(instance: Instance, session: Session, body: PromptInput, agent: Agent) -> Model:
    """The prompt's model, else the agent's, the session's, the default. Raises NotFound."""
    models = instance.models
    if body.model is not None:
        return models.get(body.model.providerID, body.model.modelID)
    if agent.model is not None:
        return models.get(agent.model.providerID, agent.model.modelID)
    if session.model is not None:
        try:
            return models.get(session.model.providerID, session.model.id)
        except NotFound:
            pass  # the session's model is no longer configured: the default answers
    return models.default()


def _remember_choice(
    instance: Instance,
    session_id: str,
    body: PromptInput,
    agent: Agent,
    message: UserMessage,
) -> Session:
    """Note agent, model and the prompt's tool switches on the session (OpenCode 1.18: a ``tools``
    map replaces the session's rules for good)."""
    session = instance.store.sessions.get(session_id)
    model = SessionModel(
        id=message.model.modelID,
        providerID=message.model.providerID,
        variant=message.model.variant or "default",
    )
    changes: dict[str, object] = {}
    if (session.agent, session.model) != (agent.name, model):
        changes.update(agent=agent.name, model=model)
    if body.tools:
        changes["permission"] = [
            PermissionRule(permission=tool, pattern="*", action="allow" if on else "deny")
            for tool, on in body.tools.items()
        ]
    if not changes:
        return session
    return instance.store.sessions.save(msgspec.structs.replace(session, **changes))


def newest_answer(instance: Instance, session_id: str) -> MessageWithParts | None:
    """The newest assistant message. Raises NotFound for the session."""
    for entry in reversed(instance.runs.histories.of(session_id).entries):
        if isinstance(entry.message, AssistantMessage):
            return MessageWithParts(info=entry.message, parts=entry.parts)
    return None
