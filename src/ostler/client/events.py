"""The event stream: read, and read on after a break.

Ostler's frames carry an ``id``; coming back with the last one as ``Last-Event-ID`` loses nothing.
Where that cannot be (the original's frames have none) a ``server.gap`` event of the client's own
says that something may have been missed.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from functools import cache, cached_property
from typing import Any

import msgspec

from ostler.client.connection import Connection
from ostler.client.errors import ClientError, InvalidAnswer, ServerFailure, Unreachable
from ostler.schema import event as schema
from ostler.schema.base import JsonObject

SILENCE_SECONDS = 30.0
"""A server says something every ten seconds; one that has said nothing for so long is gone."""
PATIENCE_SECONDS = 300.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
FRAME_LIMIT = 64 * 2**20
_GREETING = "server.connected"
_GREETS = frozenset(["/event", "/global/event"])


class Event:
    """``type`` and ``properties`` as the API has them; ``id`` is the event's own, empty where it
    has none; ``directory``: where it happened, in the stream of all directories; ``cursor``: what
    to come back with."""

    def __init__(self, frame: "_Envelope", cursor: str | None) -> None:
        inner = frame if frame.payload is None else frame.payload
        self.type = inner.type
        self.id = inner.id
        self.directory = frame.directory
        self.cursor = cursor
        self._raw = inner.properties if inner.data is None else inner.data

    @cached_property
    def properties(self) -> JsonObject:
        """As plain JSON."""
        decoded = msgspec.json.decode(self._raw)
        return decoded if isinstance(decoded, dict) else {}

    @cached_property
    def typed(self) -> schema.Properties | None:
        """As ``ostler.schema.event`` has it; None for a type, or a shape, that it does not have."""
        kind = _kinds().get(self.type)
        if kind is None:
            return None
        try:
            return msgspec.json.decode(self._raw, type=kind)
        except msgspec.ValidationError:
            return None

    @property
    def is_gap(self) -> bool:
        """Events may have been missed: read again what you rely on."""
        return self.type == "server.gap"

    def __repr__(self) -> str:
        return f"Event({self.type!r}, {self.properties!r})"


class _Envelope(msgspec.Struct):
    """An event, or one inside the record that the stream of all directories puts around it. The
    newer API has ``data`` in the place of ``properties``."""

    type: str = ""
    id: str = ""
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    data: msgspec.Raw | None = None
    directory: str | None = None
    payload: "_Envelope | None" = None


_decode = msgspec.json.Decoder(_Envelope).decode


@cache
def _kinds() -> dict[str, type[schema.Properties]]:
    return {kind.kind: kind for kind in schema.Properties.__subclasses__()}


class Frame(msgspec.Struct):
    id: str | None
    data: bytes


class FrameParser:
    """``feed`` bytes of a ``text/event-stream``, get the frames that they complete."""

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._id: str | None = None
        self._limit, self._size = limit, 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """Raises InvalidAnswer for a frame above the limit."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        frames: list[Frame] = []
        for line in lines:
            self._line(line.removesuffix(b"\r"), frames)
        if self._size + len(self._rest) > self._limit:
            raise InvalidAnswer(f"an event is longer than {self._limit} bytes")
        return frames

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if self._data:
                frames.append(Frame(self._id, b"\n".join(self._data)))
            self._data, self._id, self._size = [], None, 0
        elif name == b"data":
            self._data.append(value)
            self._size += len(value)
        elif name == b"id":
            self._id = value.decode(errors="replace")


class EventStream:
    """Iterate over it, or enter it first: then it is connected, and misses nothing from there on.

    ``silence``: seconds without a byte after which the connection counts as dead; ``patience``:
    seconds that coming back may take before Unreachable is raised. The first connection is tried
    once. Heartbeats are not shown. Raises ClientError.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        directory: str | None = None,
        last_event_id: str | None = None,
        silence: float = SILENCE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._connection, self._path, self._query = connection, path, query
        self._directory, self._silence = directory, silence
        self._newest = self._cursor = last_event_id
        self._pauses = _Pauses(patience)
        self._batches = self._read()
        self._ready: deque[Event] = deque()
        self._reading: asyncio.Task[list[Event]] | None = None
        self._closed = False

    @property
    def cursor(self) -> str | None:
        """What a later stream can go on from (``last_event_id``)."""
        return self._cursor

    async def __aenter__(self) -> "EventStream":
        if self._path in _GREETS:
            await self._fill()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> Event:
        while not self._ready:
            await self._fill()
        event = self._ready.popleft()
        self._cursor = event.cursor or self._cursor
        return event

    async def aclose(self) -> None:
        """Close the connection now. Whoever waits for an event has come to the end."""
        self._closed = True
        self._ready.clear()
        if self._reading is not None and not self._reading.done():
            self._reading.cancel()
            await asyncio.wait((self._reading,))
        await self._batches.aclose()

    async def _fill(self) -> None:
        if self._closed:
            raise StopAsyncIteration
        self._reading = asyncio.ensure_future(anext(self._batches))
        try:
            self._ready.extend(await self._reading)
        except asyncio.CancelledError:
            if self._closed:
                raise StopAsyncIteration from None
            raise

    async def _read(self) -> AsyncGenerator[list[Event], None]:
        was_connected = False
        while True:
            missed = was_connected and self._newest is None
            try:
                async for batch in self._connected(missed):
                    was_connected = True
                    self._pauses.succeeded(any(e.type != _GREETING for e in batch))
                    yield batch
            except (Unreachable, ServerFailure) as e:
                if not was_connected:
                    raise
                await self._pauses.wait(e)
            else:  # ended by the server: it stops, or has disposed of the directory
                await self._pauses.wait(None)

    async def _connected(self, missed: bool) -> AsyncGenerator[list[Event], None]:
        """What one connection brings, piece by piece; ``missed``: of what was before it, something
        may be."""
        more = {"last-event-id": self._newest} if self._newest is not None else {}
        parser = FrameParser()
        async with self._connection.stream(
            self._path, self._query, self._directory, more, self._silence
        ) as chunks:
            async for chunk in chunks:
                batch = [_event(frame) for frame in parser.feed(chunk)]
                for event in batch:
                    self._newest = event.cursor or self._newest
                if batch and missed:
                    missed = False
                    batch.insert(1, _gap())
                shown = [event for event in batch if event.type != "server.heartbeat"]
                if batch:
                    yield shown


class _Pauses:
    """Between two attempts to come back: each longer than the one before, none for too long."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._attempt = 0
        self._since = time.monotonic()

    def succeeded(self, fully: bool) -> None:
        """An event came; a greeting alone does not make the next pause a short one."""
        self._since = time.monotonic()
        if fully:
            self._attempt = 0

    async def wait(self, error: ClientError | None) -> None:
        """Raises Unreachable when there is no patience left."""
        pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2**self._attempt) * random.uniform(0.5, 1)
        self._attempt = min(self._attempt + 1, 10)
        if time.monotonic() + pause - self._since > self._patience:
            raise Unreachable(
                f"the event stream is lost, no connection for {self._patience:g} s: {error}"
            ) from error
        await asyncio.sleep(pause)


def _event(frame: Frame) -> Event:
    try:
        return Event(_decode(frame.data), frame.id)
    except msgspec.DecodeError as e:
        shown = frame.data[:500].decode(errors="replace")
        raise InvalidAnswer(f"not an event: {e}", shown) from None


def _gap() -> Event:
    return Event(_Envelope(type="server.gap"), None)
