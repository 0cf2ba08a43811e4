"""One step's stream written down: deltas become parts, calls are started as they complete."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from ostler import ids
from ostler.engine import hooks
from ostler.engine.abort import TOOL_GRACE
from ostler.engine.calls import READ_ONLY, Call
from ostler.models.delta import (
    Delta,
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
    TextEnd,
    ToolCall,
    ToolStart,
)
from ostler.schema.agent import Agent
from ostler.schema.event import MessagePartDelta
from ostler.schema.message import AssistantMessage
from ostler.schema.part import (
    PartTime,
    ReasoningPart,
    StepStartPart,
    TextPart,
    ToolPart,
    ToolStatePending,
)
from ostler.tools.tool import Tool

if TYPE_CHECKING:
    from ostler.engine.turn import Turn

CHECKPOINT_MS = 1_000
"""How often a text that is still being written is stored as far as it has come."""


class _OpenBlock:
    """A text or reasoning part that is being written."""

    __slots__ = ("part", "pieces", "stored_at")

    def __init__(self, part: TextPart | ReasoningPart) -> None:
        self.part = part
        self.pieces: list[str] = []
        self.stored_at = ids.now_ms()


class StepWriter:
    """``snapshot`` answers with the hash of the files as the step begins (it is taken while the
    model thinks); ``tools`` are those offered, by id."""

    def __init__(
        self,
        turn: "Turn",
        message: AssistantMessage,
        agent: Agent,
        tools: dict[str, Tool],
        snapshot: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._turn, self._message, self._agent = turn, message, agent
        self._tools, self._snapshot = tools, snapshot
        self._store, self._bus = turn.instance.store, turn.instance.bus
        self._blocks: dict[str, _OpenBlock] = {}
        self._pending: dict[str, ToolPart] = {}
        self._calls: list[Call] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._attempt: list[str] = []
        self._started = False
        self.start_snapshot: str | None = None
        self.finish: Finish | None = None
        self.wrote = False

    @property
    def called(self) -> bool:
        """Whether a tool call has been started."""
        return bool(self._calls)

    @property
    def blocked(self) -> bool:
        """Whether a call was rejected in a way that ends the turn."""
        return any(call.blocked for call in self._calls)

    @property
    def may_have_changed_files(self) -> bool:
        return any(call.part.tool not in READ_ONLY for call in self._calls)

    async def apply(self, batch: list[Delta]) -> None:
        """Write a batch down, in order."""
        if not self._started:
            await self._start()
        index, count = 0, len(batch)
        while index < count:
            delta = batch[index]
            index += 1
            if isinstance(delta, TextDelta | ReasoningDelta):
                text = delta.text
                if index < count and _continues(delta, batch[index]):
                    pieces = [text]
                    while index < count and _continues(delta, batch[index]):
                        pieces.append(batch[index].text)  # type: ignore[union-attr]
                        index += 1
                    text = "".join(pieces)
                self._write(delta, text)
            elif isinstance(delta, TextEnd | ReasoningEnd):
                await self._complete(delta.id)
                self._close_block(delta.id, delta.metadata)
            elif isinstance(delta, ToolStart):
                self._open_call(delta)
            elif isinstance(delta, ToolCall):
                self._call(delta)
            else:
                self.finish = delta

    async def settle(self) -> None:
        """Wait for the calls to end; close what the stream left open."""
        for block_id in list(self._blocks):
            await self._complete(block_id)
        self.close_blocks()
        if self._tasks:
            await asyncio.wait(self._tasks)  # whose cancellation is not theirs: see ``abort``

    async def abort(self) -> None:
        """Give the calls a moment to return what they have, then end them; store what is there."""
        self.close_blocks()
        running = [task for task in self._tasks if not task.done()]
        if running:
            _, late = await asyncio.wait(running, timeout=TOOL_GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        for call in self._calls:
            call.interrupt()
        for part in list(self._pending.values()):
            Call(self._turn, part, self._agent).interrupt()
        self._pending.clear()

    def discard(self) -> None:
        """Take back what an attempt wrote that failed: the next one writes the answer anew."""
        message = self._message
        for part_id in [*self._attempt, *(part.id for part in self._pending.values())]:
            self._store.messages.remove_part(message.sessionID, message.id, part_id)
        self._blocks.clear()
        self._pending.clear()
        self._attempt.clear()
        self.wrote = False

    def close_blocks(self) -> None:
        for block_id in list(self._blocks):
            self._close_block(block_id, {})

    # ── text and reasoning ───────────────────────────────────────────────────────────────────

    async def _start(self) -> None:
        self._started = True
        self.start_snapshot = await self._snapshot()
        self._store.messages.save_part(StepStartPart(**self._ids(), snapshot=self.start_snapshot))

    def _ids(self) -> dict[str, Any]:
        return {
            "id": ids.new("prt"),
            "sessionID": self._message.sessionID,
            "messageID": self._message.id,
        }

    def _write(self, delta: TextDelta | ReasoningDelta, text: str) -> None:
        block = self._blocks.get(delta.id)
        if block is None:
            kind = TextPart if isinstance(delta, TextDelta) else ReasoningPart
            part = kind(**self._ids(), text="", time=PartTime(start=ids.now_ms()))
            block = self._blocks[delta.id] = _OpenBlock(part)
            self._store.messages.save_part(part)
            self._attempt.append(part.id)
            self.wrote = True
        block.pieces.append(text)
        part = block.part
        self._bus.publish(
            MessagePartDelta(
                sessionID=part.sessionID,
                messageID=part.messageID,
                partID=part.id,
                field="text",
                delta=text,
            ),
            self._turn.instance.location,
            size=len(text),
        )
        now = ids.now_ms()
        if now - block.stored_at >= CHECKPOINT_MS:
            block.stored_at = now
            block.pieces = ["".join(block.pieces)]
            self._store.messages.checkpoint_part(
                msgspec.structs.replace(part, text=block.pieces[0])
            )

    async def _complete(self, block_id: str) -> None:
        """Let plugins have their say on a text that is whole."""
        block = self._blocks.get(block_id)
        if block is not None and isinstance(block.part, TextPart):
            text = "".join(block.pieces)
            block.pieces = [await hooks.completed_text(self._turn.instance, block.part, text)]

    def _close_block(self, block_id: str, metadata: dict[str, Any]) -> None:
        block = self._blocks.pop(block_id, None)
        if block is None:
            return
        part = block.part
        text = "".join(block.pieces)
        time = PartTime(start=part.time.start if part.time else ids.now_ms(), end=ids.now_ms())
        self._store.messages.save_part(
            msgspec.structs.replace(
                part,
                text=text.rstrip() if isinstance(part, TextPart) else text,
                time=time,
                metadata=metadata or None,
            )
        )

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def _open_call(self, delta: ToolStart) -> None:
        part = ToolPart(
            **self._ids(),
            callID=delta.id,
            tool=delta.name,
            state=ToolStatePending(input={}, raw=""),
        )
        self._pending[delta.id] = part
        self._store.messages.save_part(part)

    def _call(self, delta: ToolCall) -> None:
        part = self._pending.pop(delta.id, None)
        if part is None:
            self._open_call(ToolStart(delta.id, delta.name))
            part = self._pending.pop(delta.id)
        name, arguments = resolve_call(delta, self._tools)
        part = msgspec.structs.replace(part, tool=name, metadata=delta.metadata or None)
        self._turn.note_call(name, arguments)
        call = Call(self._turn, part, self._agent)
        self._calls.append(call)
        self._tasks.append(asyncio.create_task(call.run(self._tool(name), arguments)))

    def _tool(self, name: str) -> Tool:
        return self._tools.get(name) or self._turn.instance.tools["invalid"]


def _continues(first: TextDelta | ReasoningDelta, following: Delta) -> bool:
    return type(following) is type(first) and following.id == first.id


def resolve_call(call: ToolCall, tools: dict[str, Tool]) -> tuple[str, dict[str, Any]]:
    """The tool meant and its arguments; ``invalid`` with what was wrong, where there is no such
    tool or the arguments are no JSON object."""
    name = call.name if call.name in tools else call.name.lower()
    if name not in tools:
        offered = ", ".join(sorted({*tools, "invalid"}))
        return "invalid", {
            "tool": call.name,
            "error": f"Model tried to call unavailable tool '{call.name}'. "
            f"Available tools: {offered}.",
        }
    try:
        arguments = msgspec.json.decode(call.arguments.strip() or "{}")
    except msgspec.DecodeError as e:
        return "invalid", {
            "tool": call.name,
            "error": f"Invalid input for tool {call.name}: JSON parsing failed: {e}. "
            f"Text: {call.arguments[:2_000]}",
        }
    if not isinstance(arguments, dict):
        return "invalid", {
            "tool": call.name,
            "error": f"Invalid input for tool {call.name}: the arguments must be a JSON object, "
            f"not {type(arguments).__name__}.",
        }
    return name, arguments
