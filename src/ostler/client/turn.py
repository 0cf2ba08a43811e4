"""A prompt and its answer: at once, or as it is written."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from ostler.client.address import checked
from ostler.client.answers import Answer
from ostler.client.errors import ClientError, DeadlineExceeded, InvalidAnswer
from ostler.schema.base import JsonObject
from ostler.schema.errors import MessageAbortedError
from ostler.schema.event import MessagePartDelta, MessagePartUpdated, MessageUpdated, SessionIdle
from ostler.schema.message import AssistantMessage
from ostler.schema.part import ModelRef, Part, PartInput, TextPart
from ostler.schema.session import StatusIdle

if TYPE_CHECKING:
    from ostler.client.async_client import AsyncClient
    from ostler.client.events import Event, EventStream

Prompt = str | Sequence[PartInput | Mapping[str, Any]]
"""What is said: text, or parts."""
Model = str | ModelRef | Mapping[str, Any]
"""``provider/model``, or a record of both."""
STOP_SECONDS = 15.0
BEGIN_SECONDS, POLL_SECONDS = 4.0, 0.2
LAST_EVENTS_SECONDS = 2.0
"""How long the events behind an answer are waited for."""


def prompt_body(prompt: Prompt, model: Model | None, more: Mapping[str, Any]) -> JsonObject:
    """The arguments of ``session.prompt``. Raises ValueError for a model without a provider, and
    where no answer is wanted."""
    if more.get("noReply"):
        raise ValueError("noReply: there is no answer to wait for; use session.prompt")
    parts = [{"type": "text", "text": prompt}] if isinstance(prompt, str) else list(prompt)
    chosen = model_ref(model) if isinstance(model, str) else model
    return {"parts": parts, "model": chosen, **more}


def model_ref(model: str) -> ModelRef:
    """Raises ValueError for a name that is not provider/model."""
    provider, _, name = model.partition("/")
    if not (provider and name):
        raise ValueError(f"expected provider/model, got {model!r}")
    return ModelRef(providerID=provider, modelID=name)


async def ask(client: "AsyncClient", session_id: str, body: JsonObject, deadline: float) -> Answer:
    """The answer. A turn that is not waited for any longer is aborted."""
    try:
        message = await client.session.prompt(session_id, **body, deadline=deadline)
        if not isinstance(message.info, AssistantMessage):
            raise InvalidAnswer("a prompt was answered with a message that is no answer")
        return Answer(info=message.info, parts=message.parts)
    except (DeadlineExceeded, asyncio.CancelledError):
        with suppress(ClientError):  # what is told is why the turn was given up
            await stop(client, session_id)
        raise


async def stop(client: "AsyncClient", session_id: str, deadline: float = STOP_SECONDS) -> bool:
    """Abort, and see to it that nothing runs any more; whether that was reached in time.

    The original forgets an abort that comes before the turn it has accepted has begun, which takes
    it a second or two: so it is looked at again, until the newest answer is marked as aborted or
    nothing has begun for BEGIN_SECONDS. Raises ClientError.
    """
    try:
        async with asyncio.timeout(checked(deadline)):
            directory = (await client.session.get(session_id)).directory
            end = time.monotonic() + BEGIN_SECONDS
            while True:
                await client.session.abort(session_id)
                status = await client.session.status(directory=directory)
                is_idle = isinstance(status.get(session_id, StatusIdle()), StatusIdle)
                if is_idle and (time.monotonic() > end or await _is_aborted(client, session_id)):
                    return True
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False


async def _is_aborted(client: "AsyncClient", session_id: str) -> bool:
    newest = await client.session.messages(session_id, limit=1)
    error = getattr(newest[0].info, "error", None) if newest else None
    return isinstance(error, MessageAbortedError)


class AnswerStream:
    """The answer's text as it comes; ``answer`` is there when the iteration has ended.

    Shown is what the model says in this session, between tool calls too; not its reasoning, and not
    what subagents say. Stopping to read (``aclose``, leaving ``async with``) and the deadline abort
    the turn. Raises ClientError.
    """

    def __init__(
        self, client: "AsyncClient", session_id: str, body: JsonObject, deadline: float
    ) -> None:
        self._client, self._session_id, self._body = client, session_id, body
        self._deadline = deadline
        self._answer: Answer | None = None
        self._pieces = self._read()

    @property
    def answer(self) -> Answer:
        """Raises RuntimeError while it is not there."""
        if self._answer is None:
            raise RuntimeError("the answer is there once the stream has ended")
        return self._answer

    async def __aenter__(self) -> "AnswerStream":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    def __aiter__(self) -> "AnswerStream":
        return self

    async def __anext__(self) -> str:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        await self._pieces.aclose()

    async def _read(self) -> AsyncGenerator[str, None]:
        client, session_id = self._client, self._session_id
        session = await client.session.get(session_id)
        transcript = _Transcript(session_id)
        async with client.events(directory=session.directory) as events:
            turn = asyncio.create_task(ask(client, session_id, self._body, self._deadline))
            try:
                async with aclosing(_during(turn, events, transcript)) as told:
                    async for piece in told:
                        yield piece
                answer = await turn
            finally:
                turn.cancel()
                await asyncio.wait((turn,))
        for piece in transcript.rest(await self._untold(transcript, answer)):
            yield piece
        self._answer = answer

    async def _untold(self, transcript: "_Transcript", answer: Answer) -> list[Part]:
        """The parts of which not all may have been told."""
        if transcript.is_idle and not transcript.has_gap:
            return answer.parts
        messages = await self._client.session.messages(self._session_id)
        turn = (m for m in messages if getattr(m.info, "parentID", "") == answer.info.parentID)
        return [part for message in turn for part in message.parts]


async def _during(
    turn: "asyncio.Task[Answer]", events: "EventStream", transcript: "_Transcript"
) -> AsyncGenerator[str, None]:
    """What is said while the turn goes on, and what the stream has of it when it is over."""
    end = math.inf
    following = asyncio.create_task(events.__anext__())
    try:
        while not (turn.done() and (turn.cancelled() or turn.exception() or transcript.is_idle)):
            if turn.done():
                end = min(end, time.monotonic() + LAST_EVENTS_SECONDS)
            pending = {following} if turn.done() else {following, turn}
            left = None if end == math.inf else max(0.0, end - time.monotonic())
            await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                for piece in transcript.take(following.result()):
                    yield piece
                following = asyncio.create_task(events.__anext__())
            elif time.monotonic() >= end:
                return
    finally:
        following.cancel()
        await asyncio.wait((following,))


class _Transcript:
    """What was told of a session's answer so far."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._answers: set[str] = set()
        self._told: dict[str, str] = {}
        self.is_idle = False
        self.has_gap = False

    def take(self, event: "Event") -> Iterator[str]:
        """The text that an event adds."""
        if event.is_gap:
            self.has_gap = True
        typed = event.typed
        if getattr(typed, "sessionID", None) != self._session_id:
            return
        if isinstance(typed, MessageUpdated):
            if isinstance(typed.info, AssistantMessage):
                self._answers.add(typed.info.id)
        elif isinstance(typed, MessagePartUpdated):
            if isinstance(typed.part, TextPart) and typed.part.messageID in self._answers:
                yield from self._up_to(typed.part)
        elif isinstance(typed, MessagePartDelta):
            if typed.field == "text" and typed.partID in self._told:
                self._told[typed.partID] += typed.delta
                yield typed.delta
        elif isinstance(typed, SessionIdle):
            self.is_idle = True

    def rest(self, parts: Sequence[Part]) -> Iterator[str]:
        """What of an answer's parts was not told."""
        for part in parts:
            if isinstance(part, TextPart):
                yield from self._up_to(part)

    def _up_to(self, part: TextPart) -> Iterator[str]:
        if part.synthetic or part.ignored:
            return
        told = self._told.get(part.id, "")
        if len(part.text) > len(told) and part.text.startswith(told):
            self._told[part.id] = part.text
            yield part.text[len(told) :]
        else:
            self._told.setdefault(part.id, "")
