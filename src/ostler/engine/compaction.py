"""Compaction: when a conversation no longer fits, its older part gives way to a summary.

A request for it is a user message with a compaction part; the summary is the assistant message
that answers it. The newest turns are kept word for word. Numbers: OpenCode 1.18.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ostler import ids
from ostler.engine import hooks
from ostler.engine.history import Entry, is_user
from ostler.engine.step import Outcome, Step, options_for
from ostler.engine.tokens import estimate, max_output, usable
from ostler.engine.writer import StepWriter
from ostler.models.request import ChatMessage, ModelRequest, TextBlock
from ostler.schema.agent import Agent
from ostler.schema.config import CompactionConfig
from ostler.schema.event import SessionCompacted
from ostler.schema.message import AssistantMessage, UserMessage, UserTime
from ostler.schema.part import (
    CompactionPart,
    FilePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolPart,
    ToolStateCompleted,
    ToolStateError,
)
from ostler.schema.provider import Model
from ostler.tools.tool import Tool

if TYPE_CHECKING:
    from ostler.engine.turn import Turn

RESULT_LIMIT = 2_000
"""Characters of a tool result that the summary's writer sees."""
TAIL_MOST, TAIL_LEAST = 15_000, 2_000
"""Tokens kept word for word: a quarter of what is usable, within these bounds."""

ASK = """\
Write the summary that another agent will continue from. It replaces the conversation below, so \
nothing that is left out can be recovered. Use these headings, and leave none out:

## Goal
What the user wants, in their terms, with every constraint and preference they stated.
## Done
What was done and found, with exact paths, commands, names and numbers.
## State
What is changed but not finished, what fails and how, what was tried without success.
## Next
The steps that are left, in order.
## Files
The files that matter, one line each with why."""

CONTINUE = (
    "The conversation was compacted to make room. Continue with the next step of the work; if "
    "there is nothing left to do, or you need the user's decision, say so."
)


def request(turn: "Turn", user: UserMessage, auto: bool = True) -> None:
    """Store the request, for the turn to find on its next pass."""
    message = UserMessage(
        id=ids.new("msg"),
        sessionID=turn.session_id,
        time=UserTime(created=ids.now_ms()),
        agent=user.agent,
        model=user.model,
    )
    store = turn.instance.store
    store.messages.save(message)
    store.messages.save_part(
        CompactionPart(
            id=ids.new("prt"),
            sessionID=turn.session_id,
            messageID=message.id,
            auto=auto,
            overflow=True if turn.overflowed else None,
        )
    )
    turn.overflowed = False


async def run(turn: "Turn", asked: Entry, mark: CompactionPart) -> Outcome:
    """Write the summary that ``asked`` asks for, then let the work go on where it was automatic."""
    assert isinstance(asked.message, UserMessage)
    instance = turn.instance
    agent = instance.agent("compaction")
    chosen = agent.model or asked.message.model
    model = instance.models.get(chosen.providerID, chosen.modelID)
    before = [e for e in turn.history.active() if e.seq < asked.seq]
    config = instance.config.compaction or CompactionConfig()
    tail = [] if mark.overflow else kept_tail(before, model, config)
    older = before[: len(before) - len(tail)]
    step = _Summary(turn, asked.message, agent, model, older)
    outcome = await step.run()
    if outcome == "stop":
        return "stop"
    turn.just_compacted = mark.overflow is True
    if tail:
        mark = msgspec.structs.replace(mark, tail_start_id=tail[0].message.id)
        instance.store.messages.save_part(mark)
    overflow = mark.overflow is True
    if mark.auto and await hooks.goes_on(instance, model, agent.name, asked.message, overflow):
        _go_on(turn, before if mark.overflow else [], asked.message)
    instance.bus.publish(SessionCompacted(sessionID=turn.session_id), instance.location)
    return "next"


def kept_tail(entries: Sequence[Entry], model: Model, config: CompactionConfig) -> list[Entry]:
    """The newest whole turns that fit the budget; never everything."""
    budget = config.preserve_recent_tokens
    if budget is None:
        room = usable(model, config) or 0
        budget = min(TAIL_MOST, max(TAIL_LEAST, room // 4))
    starts = [i for i, e in enumerate(entries) if is_user(e)]
    if config.tail_turns is not None:
        starts = starts[len(starts) - config.tail_turns :] if config.tail_turns else []
    best = len(entries)
    for start in reversed(starts):
        if start == 0 or estimate(flatten(entries[start:])) > budget:
            break
        best = start
    return list(entries[best:])


def flatten(entries: Sequence[Entry]) -> str:
    """A conversation as plain text, tool results cut short."""
    blocks = []
    for entry in entries:
        lines = [line for part in entry.parts if (line := _line(part))]
        if lines:
            who = "User" if is_user(entry) else "Assistant"
            blocks.append(f"[{who}]\n" + "\n".join(lines))
    return "\n\n".join(blocks)


def _line(part: Part) -> str:
    if isinstance(part, TextPart):
        return "" if part.ignored else part.text
    if isinstance(part, ReasoningPart):
        return ""
    if isinstance(part, FilePart):
        return f"[attached {part.mime}: {part.filename or part.url[:200]}]"
    if isinstance(part, ToolPart):
        arguments = msgspec.json.encode(part.state.input).decode()
        head = f"[called {part.tool} {arguments[:RESULT_LIMIT]}]"
        if isinstance(part.state, ToolStateCompleted):
            return f"{head}\n{_cut(part.state.output)}"
        if isinstance(part.state, ToolStateError):
            return f"{head}\n[failed] {_cut(part.state.error)}"
        return head
    return ""


def _cut(text: str) -> str:
    if len(text) <= RESULT_LIMIT:
        return text
    return f"{text[:RESULT_LIMIT]}\n[{len(text) - RESULT_LIMIT} more characters]"


class _Summary(Step):
    """A step without tools whose answer is the summary."""

    def __init__(
        self,
        turn: "Turn",
        user: UserMessage,
        agent: Agent,
        model: Model,
        older: Sequence[Entry],
    ) -> None:
        self._older = older
        super().__init__(turn, user, agent, model, 1)

    def _new_message(self) -> AssistantMessage:
        message = super()._new_message()
        return msgspec.structs.replace(message, summary=True)

    def _tools(self) -> dict[str, Tool]:
        return {}

    async def _request(self, tools: dict[str, Tool]) -> ModelRequest:
        instance = self.turn.instance
        context = await hooks.compacting(instance, self.turn.session_id)
        older = await hooks.shown(instance, self._older)
        text = "\n\n".join(filter(None, [context.prompt or ASK, *context.context, flatten(older)]))
        return ModelRequest(
            provider=instance.models.provider_of(self.model),
            model=self.model,
            messages=[
                ChatMessage("system", (TextBlock(self.agent.prompt or ""),)),
                ChatMessage("user", (TextBlock(text),)),
            ],
            max_output=max_output(self.model),
            options=options_for(self.model, self.agent, None),
            session_id=self.turn.session_id,
            places=(instance.directory, instance.worktree),
        )

    def _next(self, writer: StepWriter) -> Outcome:
        return "next"

    def _may_compact(self) -> bool:
        return False


def _go_on(turn: "Turn", overflowing: Sequence[Entry], asked: UserMessage) -> None:
    """Store what makes the model continue: the prompt that overflowed, without its media, or a
    nudge."""
    prompt = next((e for e in reversed(overflowing) if is_user(e)), None)
    message = UserMessage(
        id=ids.new("msg"),
        sessionID=turn.session_id,
        time=UserTime(created=ids.now_ms()),
        agent=asked.agent,
        model=asked.model,
    )
    if prompt is not None and isinstance(prompt.message, UserMessage):
        source = prompt.message
        message = msgspec.structs.replace(
            message, format=source.format, system=source.system, tools=source.tools
        )
    store = turn.instance.store
    store.messages.save(message)
    for part in _resent(prompt, message) if prompt else [_nudge(message)]:
        store.messages.save_part(part)


def _resent(prompt: Entry, message: UserMessage) -> list[Part]:
    fields: dict[str, Any] = {"sessionID": message.sessionID, "messageID": message.id}
    parts: list[Part] = []
    for part in prompt.parts:
        if isinstance(part, CompactionPart):
            continue
        if isinstance(part, FilePart) and not part.mime.startswith("text/"):
            note = f"[An attachment was left out to make room: {part.filename or part.mime}]"
            parts.append(TextPart(id=ids.new("prt"), **fields, text=note, synthetic=True))
        else:
            parts.append(msgspec.structs.replace(part, id=ids.new("prt"), **fields))
    return parts


def _nudge(message: UserMessage) -> TextPart:
    return TextPart(
        id=ids.new("prt"),
        sessionID=message.sessionID,
        messageID=message.id,
        text=CONTINUE,
        synthetic=True,
        metadata={"compaction_continue": True},
    )
