"""Subagents: work handed to another agent in a session of its own below the caller's."""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ostler import ids
from ostler.engine import mentions, sessions, submit
from ostler.engine.calls import Call
from ostler.permission import inherited
from ostler.schema.agent import Agent
from ostler.schema.errors import DiskLow, NotFound, ToolError, error_message
from ostler.schema.message import (
    AssistantMessage,
    AssistantTime,
    MessageWithParts,
    PromptInput,
    PromptModel,
    UserMessage,
    UserTime,
)
from ostler.schema.part import (
    AgentPart,
    SubtaskPart,
    TextPart,
    ToolPart,
    ToolStateError,
    ToolStatePending,
)
from ostler.schema.permission import PermissionRule
from ostler.schema.session import Session
from ostler.tools.tool import Subtask, SubtaskResult

if TYPE_CHECKING:
    from ostler.engine.turn import Turn

DEFAULT_DEPTH = 1
DEFAULT_DEADLINE = 3600.0
"""Seconds a subagent may work; ``subagent_timeout`` (ms) in opencode.json changes it."""
SUMMARISE = "Summarise what the task above found or did, and continue with your own task."


async def run_subtask(call: Call, task: Subtask) -> SubtaskResult:
    """Run a subagent to its end. Raises ToolError: too deep, denied, unknown, failed, timed out."""
    turn = call.turn
    _check_depth(turn)
    if not _was_asked_for(turn):
        await call.ask(
            "task",
            [task.agent],
            ["*"],
            {"description": task.description, "subagent_type": task.agent},
        )
    return await _run(call, task)


async def run_requested(turn: "Turn", user: UserMessage, part: SubtaskPart) -> str:
    """Carry out a subtask that a command asked for: a task call of its own, nobody is asked.
    The turn goes on afterwards."""
    instance = turn.instance
    agent = instance.agent(user.agent)
    store = instance.store
    message = AssistantMessage(
        id=ids.new("msg"),
        sessionID=turn.session_id,
        time=AssistantTime(created=ids.now_ms()),
        parentID=user.id,
        modelID=user.model.modelID,
        providerID=user.model.providerID,
        mode=part.agent,
        agent=part.agent,
        path=sessions.message_path(instance),
        cost=0,
        tokens=sessions.NO_TOKENS,
        variant=user.model.variant,
    )
    store.messages.save(message)
    tool_part = ToolPart(
        id=ids.new("prt"),
        sessionID=turn.session_id,
        messageID=message.id,
        callID=ids.new("tool").replace("tool_", "call_", 1),
        tool="task",
        state=ToolStatePending(input={}, raw=""),
    )
    arguments = {
        "prompt": part.prompt,
        "description": part.description,
        "subagent_type": part.agent,
        **({"command": part.command} if part.command else {}),
    }
    call = Call(turn, tool_part, agent)
    task = asyncio.create_task(call.run(instance.tools["task"], arguments))
    aborted = asyncio.create_task(turn.aborted.wait())
    await asyncio.wait((task, aborted), return_when=asyncio.FIRST_COMPLETED)
    aborted.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
        call.interrupt()
    store.messages.save(
        msgspec.structs.replace(
            message,
            finish="tool-calls",
            time=AssistantTime(created=message.time.created, completed=ids.now_ms()),
        )
    )
    if turn.aborted.is_set():
        return "next"
    if part.command:
        _ask_to_go_on(turn, user)
    return "next"


def _ask_to_go_on(turn: "Turn", user: UserMessage) -> None:
    message = UserMessage(
        id=ids.new("msg"),
        sessionID=turn.session_id,
        time=UserTime(created=ids.now_ms()),
        agent=user.agent,
        model=user.model,
    )
    turn.instance.store.messages.save(message)
    turn.instance.store.messages.save_part(
        TextPart(
            id=ids.new("prt"),
            sessionID=turn.session_id,
            messageID=message.id,
            text=SUMMARISE,
            synthetic=True,
        )
    )


def _check_depth(turn: "Turn") -> None:
    depth = turn.instance.config.subagent_depth
    limit = DEFAULT_DEPTH if depth is None else depth
    above = turn.instance.store.sessions.ancestors(turn.session())
    if len(above) >= limit:
        raise ToolError(
            f"Subagent depth limit reached ({limit}). "
            'Increase "subagent_depth" to allow nested subagents.'
        )


def _was_asked_for(turn: "Turn") -> bool:
    """Whether the user named the agent in the newest prompt, or asked for it by a command."""
    user = turn.history.last_user()
    return user is not None and any(isinstance(p, AgentPart | SubtaskPart) for p in user.parts)


async def _run(call: Call, task: Subtask) -> SubtaskResult:
    turn = call.turn
    instance = turn.instance
    try:
        agent = instance.agent(task.agent)
    except NotFound:
        raise ToolError(f"Unknown agent type: {task.agent} is not a valid agent type") from None
    child = _child(turn, agent, task)
    caller = _calling_message(turn, call.part.messageID)
    chosen = agent.model or PromptModel(providerID=caller.providerID, modelID=caller.modelID)
    metadata = {
        "parentSessionId": turn.session_id,
        "sessionId": child.id,
        "model": {"modelID": chosen.modelID, "providerID": chosen.providerID},
    }
    call.update(task.description, metadata)
    turn.children.add(child.id)
    try:
        answer = await _prompt(
            call,
            child,
            PromptInput(
                parts=mentions.parts_of(instance, task.prompt),
                agent=agent.name,
                model=PromptModel(providerID=chosen.providerID, modelID=chosen.modelID),
                variant=None if agent.model else caller.variant,
            ),
        )
    finally:
        turn.children.discard(child.id)
    return SubtaskResult(child.id, _result_text(child.id, answer), metadata)


async def _prompt(call: Call, child: Session, body: PromptInput) -> MessageWithParts:
    """The child's answer. Raises ToolError at the deadline; a cancelled call aborts the child."""
    instance = call.turn.instance
    limit = instance.config.subagent_timeout
    deadline = limit / 1000 if limit else DEFAULT_DEADLINE
    try:
        async with asyncio.timeout(deadline):
            return await submit.prompt(instance, child.id, body)
    except TimeoutError:
        await instance.runs.abort(child.id)
        raise ToolError(
            f"Subagent did not finish within {deadline:.0f} s and was aborted "
            f"(task_id: {child.id}); its session can be continued with that task_id."
        ) from None
    except DiskLow as e:
        raise ToolError(str(e)) from None
    except asyncio.CancelledError:
        await instance.runs.abort(child.id)
        raise


def _child(turn: "Turn", agent: Agent, task: Subtask) -> Session:
    store = turn.instance.store
    parent = turn.session()
    if task.task_id is not None:
        try:
            known = store.sessions.get(task.task_id)
        except NotFound:
            known = None
        if known is not None:
            if known.parentID != parent.id:
                raise ToolError(
                    f"task_id {task.task_id} is no subagent of this session; leave it out to "
                    "start a new one"
                )
            return known
    return sessions.create(
        turn.instance,
        parent=parent,
        title=f"{task.description} (@{agent.name} subagent)",
        agent=agent.name,
        permission=child_rules(turn, parent, agent),
        unattended=parent.unattended,
    )


def child_rules(turn: "Turn", parent: Session, agent: Agent) -> list[PermissionRule]:
    """The parent's denials, and no todo list or subagents of its own unless the agent's rules
    speak of them."""
    rules = inherited(parent.permission or ())
    for permission in ("todowrite", "task"):
        if not any(r.permission == permission for r in agent.permission):
            rules.append(PermissionRule(permission=permission, pattern="*", action="deny"))
    experimental = turn.instance.config.experimental
    for tool in (experimental and experimental.primary_tools) or ():
        rules.append(PermissionRule(permission=tool, pattern="*", action="deny"))
    return rules


def _calling_message(turn: "Turn", message_id: str) -> AssistantMessage:
    entry = turn.history.refresh().entry(message_id)
    assert entry is not None
    assert isinstance(entry.message, AssistantMessage)
    return entry.message


def _result_text(child_id: str, answer: MessageWithParts) -> str:
    """The child's last words. Raises ToolError when it failed."""
    assert isinstance(answer.info, AssistantMessage)
    if answer.info.error is not None:
        raise ToolError(
            f"Subagent failed (task_id: {child_id}): {error_message(answer.info.error)}"
        )
    for part in answer.parts:
        if isinstance(part, ToolPart) and isinstance(part.state, ToolStateError):
            raise ToolError(f"Subagent failed (task_id: {child_id}): {part.state.error}")
    texts = [p.text for p in answer.parts if isinstance(p, TextPart)]
    return texts[-1] if texts else ""
