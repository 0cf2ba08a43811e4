"""One step: a request is put together, streamed, written down, and its tool calls are carried out.

A step leaves one assistant message. How it ended is its Outcome: the turn goes on (``next``),
stops (``stop``), or compacts first (``compact``).
"""

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ostler import ids
from ostler.config.merge import deep_merge
from ostler.engine import budget, convert, hooks, prompt, structured
from ostler.engine.abort import Aborted, unless_aborted
from ostler.engine.history import Entry
from ostler.engine.offer import offered_tools
from ostler.engine.retry import Retries
from ostler.engine.routes import Route
from ostler.engine.tokens import cost_of, max_output, overflows, tokens_of
from ostler.engine.writer import StepWriter
from ostler.models import defaults, reasoning
from ostler.models import failure as failures
from ostler.models.delta import Finish, Usage
from ostler.models.failure import ModelFailure
from ostler.models.request import ChatMessage, ModelRequest, TextBlock, ToolDefinition
from ostler.schema.agent import Agent
from ostler.schema.config import CompactionConfig
from ostler.schema.errors import (
    MessageError,
    MessageOutputLengthError,
    OutputLengthData,
    StoreFailure,
    StructuredOutputData,
    StructuredOutputError,
    TurnError,
)
from ostler.schema.message import (
    AssistantMessage,
    AssistantTime,
    MessagePath,
    OutputFormatJsonSchema,
    UserMessage,
)
from ostler.schema.part import PatchPart, StepFinishPart
from ostler.schema.provider import Model
from ostler.schema.session import NO_TOKENS, StatusBusy, StatusRetry
from ostler.tools.tool import Tool

if TYPE_CHECKING:
    from ostler.engine.turn import Turn

SHORT = 0.5
"""Seconds of waiting that nobody needs to be told of."""

Outcome = Literal["next", "stop", "compact"]


async def run_step(turn: "Turn", user: UserMessage, number: int) -> Outcome:
    """Step ``number`` (1, 2, …) of the turn that answers ``user``. Raises nothing of the model's
    doing: failures end up on the message. Raises NotFound for an unknown agent or model."""
    agent = turn.instance.agent(user.agent)
    model = turn.instance.models.get(user.model.providerID, user.model.modelID)
    step = Step(turn, user, agent, model, number)
    return await step.run()


class Step:
    def __init__(
        self, turn: "Turn", user: UserMessage, agent: Agent, model: Model, number: int
    ) -> None:
        self.turn, self.user, self.agent = turn, user, agent
        self._route = _route(turn, agent, model)
        self._last = agent.steps is not None and number >= agent.steps
        self._instance = turn.instance
        self._structured: structured.Capture | None = None
        self._short_of: budget.BudgetExceeded | None = None
        self._message = self._new_message()
        self._compaction = turn.instance.config.compaction or CompactionConfig()

    async def run(self) -> Outcome:
        turn, store = self.turn, self._instance.store
        store.messages.save(self._message)
        snapshot = turn.snapshots.begin()
        tools: dict[str, Tool] = {}
        writer = StepWriter(turn, self._message, self.agent, tools, lambda: snapshot)
        error: MessageError | None = None
        try:
            async with budget.time_limit(turn):
                await self._stream(writer, tools)
                await unless_aborted(writer.settle(), turn.aborted)
        except Aborted as e:
            await writer.abort()
            error = turn.lost.error() if turn.lost else e.error
        except StoreFailure:
            with suppress(StoreFailure):
                await writer.abort()
            raise
        except ModelFailure as e:
            await writer.abort()
            error = e.error
            if e.kind == "context_overflow" and self._may_compact():
                turn.overflowed = True
                return await self._end(writer, error, "compact")
        except TurnError as e:
            await writer.abort()
            error = e.error
        if error is None:
            error = self._judge(writer)
        return await self._end(writer, error, self._next(writer))

    @property
    def model(self) -> Model:
        """The one that is asked now."""
        return self._route.model

    def _new_message(self) -> AssistantMessage:
        message = assistant_message(self.turn, self.user, self.agent, self.model)
        return msgspec.structs.replace(message, fallback=self._route.failed or None)

    # ── the request ──────────────────────────────────────────────────────────────────────────

    def _tools(self) -> dict[str, Tool]:
        tools = offered_tools(self.turn, self.agent, self.model, self.user)
        if isinstance(self.user.format, OutputFormatJsonSchema):
            self._structured = structured.Capture(self.user.format.schema)
            tools[structured.TOOL_ID] = self._structured.tool
        return tools

    async def _prepared(self, tools: dict[str, Tool]) -> ModelRequest:
        request = await self._request(tools)
        return await hooks.prepared(self._instance, request, self.agent.name, self.user)

    async def _request(self, tools: dict[str, Tool]) -> ModelRequest:
        """Puts the tools of this step into ``tools``."""
        await self._instance.mcp.ready()
        tools.update(self._tools())
        turn, agent, model = self.turn, self.agent, self.model
        rules = turn.rules(agent)
        system = await prompt.system_prompt(
            self._instance, agent, model, self.user, rules, self._instance.mcp.instructions()
        )
        context = await hooks.shown(self._instance, self._context())
        messages = convert.continued(turn.history, context, model)
        messages = prompt.with_reminders(messages, agent, "plan" in turn.history.agents)
        if self._last:
            messages.append(ChatMessage("assistant", (TextBlock(prompt.LAST_STEP),)))
        capable = model.capabilities.temperature
        return ModelRequest(
            provider=self._instance.models.provider_of(model),
            model=model,
            messages=[*system, *messages],
            tools=[
                ToolDefinition(t.id, t.description, t.parameters)
                for t in sorted(tools.values(), key=lambda t: t.id)
            ],
            tool_choice="required" if self._structured else "auto",
            max_output=max_output(model),
            temperature=_either(agent.temperature, defaults.temperature_of(model), capable),
            top_p=_either(agent.topP, defaults.top_p_of(model), capable),
            options={
                **options_for(model, agent, self.user.model.variant),
                **reasoning.options_for(model, self.user.thinking),
            },
            session_id=turn.session_id,
            places=(self._instance.directory, self._instance.worktree),
        )

    def _context(self) -> list[Entry]:
        """All but the answer that is being written, which is at the end."""
        history = self.turn.history
        entries, own = list(history.active()), history.entry(self._message.id)
        if own is not None:
            entries.remove(own)
        return entries

    # ── the stream ───────────────────────────────────────────────────────────────────────────

    async def _stream(self, writer: StepWriter, tools: dict[str, Tool]) -> None:
        """Stream into the writer, trying again where that helps, other models last. Raises Aborted,
        ModelFailure."""
        retries = Retries(self._instance.config.retry)
        request = await unless_aborted(self._prepared(tools), self.turn.aborted)
        while True:
            try:
                await self._until_free(request)
                self.turn.set_status(StatusBusy())
                with budget.reserved(self.turn, request) as asked:
                    await unless_aborted(self._consume(asked, writer), self.turn.aborted)
                if writer.finish is not None and writer.finish.reason == "length":
                    self._short_of = budget.cut_short(self.turn, request, asked)
                return
            except ModelFailure as e:
                if writer.called:
                    # What was called is being carried out: the next step goes on from its results.
                    writer.finish = writer.finish or Finish("unknown", Usage())
                    return
                delay = retries.delay(e, self._route.has_next(e))
                if delay is None and not self._route.fall_back(e):
                    raise
                writer.discard()
                if delay is not None:
                    await self._wait(retries.attempt, str(e), delay)
                    continue
                retries.start_anew()
                self._show_fallback()
                tools.clear()
                request = await unless_aborted(self._prepared(tools), self.turn.aborted)

    def _show_fallback(self) -> None:
        self._message = msgspec.structs.replace(
            self._message,
            providerID=self.model.providerID,
            modelID=self.model.id,
            fallback=list(self._route.failed),
        )
        self._instance.store.messages.save(self._message)

    async def _until_free(self, request: ModelRequest) -> None:
        """Wait, visibly, while the provider has asked to be left alone."""
        held = self._instance.models.held_for(request)
        if held > SHORT:
            await self._wait(0, f"{request.provider.name} has asked for a pause", held)

    async def _consume(self, request: ModelRequest, writer: StepWriter) -> None:
        async with aclosing(self._instance.models.stream(request)) as stream:
            async for batch in stream:
                await writer.apply(batch)
        if writer.finish is not None and not writer.wrote and not writer.called:
            reason = writer.finish.reason
            if reason not in ("content-filter", "length"):
                raise failures.empty(request.model.api.url)

    async def _wait(self, attempt: int, why: str, delay: float) -> None:
        """Seconds, shown as the session's status."""
        self.turn.set_status(
            StatusRetry(attempt=attempt, message=why, next=ids.now_ms() + int(delay * 1000))
        )
        self._instance.store.commit()
        await unless_aborted(asyncio.sleep(delay), self.turn.aborted)

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def _judge(self, writer: StepWriter) -> MessageError | None:
        """What a stream that ended well may still mean."""
        assert writer.finish is not None
        reason = writer.finish.reason
        if self._short_of is not None:
            return self._short_of.error
        if reason == "content-filter":
            return failures.content_filtered().error
        if reason == "length" and not writer.wrote and not writer.called:
            return MessageOutputLengthError(data=OutputLengthData())
        if self._structured and not self._structured.valid and reason != "tool-calls":
            return StructuredOutputError(
                data=StructuredOutputData(
                    message="Model did not produce structured output", retries=0
                )
            )
        return None

    def _next(self, writer: StepWriter) -> Outcome:
        if writer.blocked or (self._structured and self._structured.valid):
            return "stop"
        finish = writer.finish
        if finish is not None and overflows(tokens_of(finish.usage), self.model, self._compaction):
            return "compact"
        return "next"

    def _may_compact(self) -> bool:
        # A second overflow right after a compaction would go on for ever.
        return self._compaction.auto is not False and not self.turn.just_compacted

    async def _end(
        self, writer: StepWriter, error: MessageError | None, outcome: Outcome
    ) -> Outcome:
        turn, store = self.turn, self._instance.store
        finish = writer.finish
        message = self._message
        changed: list[str] = []
        if finish is not None:
            tokens = tokens_of(finish.usage)
            cost = cost_of(tokens, self.model.cost)
            snapshot = await turn.snapshots.end(writer.may_have_changed_files)
            store.messages.save_part(
                StepFinishPart(
                    id=ids.new("prt"),
                    sessionID=message.sessionID,
                    messageID=message.id,
                    reason=finish.reason,
                    snapshot=snapshot,
                    cost=cost,
                    tokens=tokens,
                )
            )
            message = msgspec.structs.replace(
                message, finish=finish.reason, cost=cost, tokens=tokens
            )
            store.messages.save(message)
            turn.spend(cost, tokens)
            turn.just_compacted = message.summary is True and turn.just_compacted
        elif writer.may_have_changed_files:
            await turn.snapshots.end(True)
        if writer.start_snapshot is not None and writer.may_have_changed_files:
            changed = await turn.snapshots.changed(writer.start_snapshot)
        if changed and writer.start_snapshot is not None:
            store.messages.save_part(
                PatchPart(
                    id=ids.new("prt"),
                    sessionID=message.sessionID,
                    messageID=message.id,
                    hash=writer.start_snapshot,
                    files=changed,
                )
            )
        if outcome == "compact":
            error = None  # nothing has failed: the answer will come after the compaction
        if error is not None:
            turn.report(error)
            outcome = "stop"
        message = msgspec.structs.replace(
            message,
            error=error,
            structured=self._structured.value if self._structured else None,
            time=AssistantTime(created=message.time.created, completed=ids.now_ms()),
        )
        store.messages.save(message)
        return outcome


def _route(turn: "Turn", agent: Agent, model: Model) -> Route:
    key = (agent.name, model.providerID, model.id)
    if key not in turn.routes:
        turn.routes[key] = Route(turn.instance.models, model, agent.fallback)
    return turn.routes[key]


def assistant_message(
    turn: "Turn", user: UserMessage, agent: Agent, model: Model
) -> AssistantMessage:
    return AssistantMessage(
        id=ids.new("msg"),
        sessionID=turn.session_id,
        time=AssistantTime(created=ids.now_ms()),
        parentID=user.id,
        modelID=model.id,
        providerID=model.providerID,
        mode=agent.name,
        agent=agent.name,
        path=MessagePath(cwd=turn.instance.directory, root=turn.instance.worktree),
        cost=0,
        tokens=NO_TOKENS,
        variant=user.model.variant,
    )


def options_for(
    model: Model, agent: Agent, variant: str | None, small: bool = False
) -> dict[str, Any]:
    """Provider options: the wire's usual ones (for a ``small`` task those of little thinking), the
    model's, the agent's, then the variant's, each over the ones before."""
    usual = defaults.small_options_of(model) if small else defaults.options_of(model)
    chosen = (model.variants or {}).get(variant or "", {})
    options: dict[str, Any] = {}
    for layer in (usual, model.options, agent.options, chosen):
        options = deep_merge(options, layer) if layer else options
    return options


def _either(chosen: float | None, usual: float | None, capable: bool) -> float | None:
    if not capable:
        return None
    return usual if chosen is None else chosen
