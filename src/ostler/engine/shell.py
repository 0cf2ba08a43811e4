"""A command the user runs in a session: no model is asked, but the conversation remembers it."""

import asyncio

import msgspec

from ostler import ids
from ostler.engine import hooks, revert, submit
from ostler.engine.instance import Instance
from ostler.engine.sessions import message_path, touch
from ostler.schema.errors import SessionBusy
from ostler.schema.message import (
    AssistantMessage,
    AssistantTime,
    MessageWithParts,
    PromptInput,
    ShellInput,
    UserMessage,
    UserModel,
    UserTime,
)
from ostler.schema.part import (
    TextPart,
    ToolPart,
    ToolStateCompleted,
    ToolStateRunning,
    ToolTime,
    ToolTimeStart,
)
from ostler.schema.session import NO_TOKENS, Session
from ostler.tools import process
from ostler.tools.shell import choose, user_command

NOTE = "The user ran the following command:"
ABORTED = "\n\n<metadata>\nUser aborted the command\n</metadata>"
DEADLINE = 3600.0
"""Seconds a user's command may take."""
LIMIT = 10 * 2**20
"""Bytes of output kept, the newest."""
SHOWN = 30_000
"""Characters of output shown while it runs."""


async def run(instance: Instance, session_id: str, body: ShellInput) -> MessageWithParts:
    """Run it and store it as a prompt with a tool part as its answer.

    Raises NotFound (session, agent, model), SessionBusy and DiskLow.
    """
    instance.disk.check()
    session = instance.store.sessions.get(session_id)
    agent = submit.choose_agent(instance, session, body.agent)
    model = submit.choose_model(instance, session, PromptInput(parts=[], model=body.model), agent)
    if instance.runs.busy(session_id):
        raise SessionBusy(session_id)
    if session.revert is not None:
        session = revert.clean_up(instance, session)
    user = UserMessage(
        id=body.messageID or ids.new("msg"),
        sessionID=session_id,
        time=UserTime(created=ids.now_ms()),
        agent=agent.name,
        model=UserModel(providerID=model.providerID, modelID=model.id),
    )
    async with instance.runs.exclusively(session_id) as aborted:
        return await _run(instance, session, user, body.command, aborted)


async def _run(
    instance: Instance,
    session: Session,
    user: UserMessage,
    command: str,
    aborted: asyncio.Event,
) -> MessageWithParts:
    store = instance.store
    store.messages.save(user)
    store.messages.save_part(
        TextPart(
            id=ids.new("prt"),
            sessionID=session.id,
            messageID=user.id,
            text=NOTE,
            synthetic=True,
        )
    )
    message = AssistantMessage(
        id=ids.new("msg"),
        sessionID=session.id,
        time=AssistantTime(created=ids.now_ms()),
        parentID=user.id,
        modelID=user.model.modelID,
        providerID=user.model.providerID,
        mode=user.agent,
        agent=user.agent,
        path=message_path(instance),
        cost=0,
        tokens=NO_TOKENS,
    )
    store.messages.save(message)
    part = ToolPart(
        id=ids.new("prt"),
        sessionID=session.id,
        messageID=message.id,
        callID=ids.new("tool"),
        tool="bash",
        state=ToolStateRunning(input={"command": command}, time=ToolTimeStart(start=ids.now_ms())),
    )
    store.messages.save_part(part)
    part = await _execute(instance, part, command, aborted)
    store.messages.save_part(part)
    message = msgspec.structs.replace(
        message,
        finish="stop",
        time=AssistantTime(created=message.time.created, completed=ids.now_ms()),
    )
    store.messages.save(message)
    touch(instance, store.sessions.get(session.id))
    return MessageWithParts(info=message, parts=[part])


async def _execute(
    instance: Instance, part: ToolPart, command: str, aborted: asyncio.Event
) -> ToolPart:
    running = part.state
    assert isinstance(running, ToolStateRunning)
    output = bytearray()

    def collect(chunk: bytes) -> None:
        output.extend(chunk)
        if len(output) > LIMIT:
            del output[: len(output) - LIMIT]
        shown = output[-SHOWN:].decode("utf-8", "replace")
        state = msgspec.structs.replace(running, metadata={"output": shown})
        instance.store.messages.show_part(msgspec.structs.replace(part, state=state))

    shell = choose(instance.config, instance.environment, refused=())
    added = await hooks.shell_environment(instance, instance.directory, part.sessionID, part.callID)
    finished = await process.run(
        user_command(shell, command, instance.directory),
        directory=instance.directory,
        environment={**instance.environment, **added, "TERM": "dumb"},
        on_output=collect,
        timeout=DEADLINE,
        aborted=aborted,
    )
    text = output.decode("utf-8", "replace")
    if finished.ending == "abort":
        text += ABORTED
    elif finished.ending == "timeout":
        text += f"\n\n<metadata>\nStopped after {DEADLINE:.0f} s\n</metadata>"
    return msgspec.structs.replace(
        part,
        state=ToolStateCompleted(
            input=running.input,
            output=text,
            title="",
            metadata={"output": text[-SHOWN:], "exit": finished.exit},
            time=ToolTime(start=running.time.start, end=ids.now_ms()),
        ),
    )
