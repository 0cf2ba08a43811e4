"""JSON-RPC 2.0 with a child process over two pipes, one message a line.

Both sides call and are called. Requests are written at once: their number is bounded by whoever
waits for an answer. Events wait in a bounded queue while the other side does not read.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ostler.integrations.plugins.plugin import Json, PluginError, PluginRefused

THREW = 1
"""The code of what a plugin threw; rpc.mjs has the same. All others are the host's faults."""
MAX_EVENTS = 1000

_CHUNK = 1 << 18

Method = Callable[[Json], Awaitable[Any]]

log = logging.getLogger("ostler.plugins")


class Thrown(PluginRefused):
    """What a plugin threw, with what the host added to it."""

    def __init__(self, message: str, data: Json) -> None:
        super().__init__(message)
        self.data = data


class Refusal(Exception):
    """Raised by a method to answer with a message and data of its own."""

    def __init__(self, message: str, data: Json) -> None:
        super().__init__(message)
        self.data = data


class Peer:
    """The other end. ``methods`` answer its requests; ``heard`` gets its notifications, in order
    and before any answer that was sent after them. ``ended`` is set when it is gone."""

    def __init__(self, methods: Mapping[str, Method], heard: Callable[[str, Json], None]) -> None:
        self.ended = asyncio.Event()
        self._methods, self._heard = methods, heard
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._reason = "the plugin host has ended"
        self._answering: set[asyncio.Task[None]] = set()
        self._events: deque[tuple[list[int], Json]] = deque()
        self._dropped = 0
        self._flushing = False
        self._out: asyncio.WriteTransport | None = None
        self._in: asyncio.ReadTransport | None = None
        self._outlet = _Outlet(self._flush)

    async def connect(self, reading: int, writing: int) -> None:
        """Take over two descriptors."""
        loop = asyncio.get_running_loop()
        self._out, _ = await loop.connect_write_pipe(
            lambda: self._outlet, os.fdopen(writing, "wb", buffering=0)
        )
        self._in, _ = await loop.connect_read_pipe(
            lambda: _Inlet(self._take, self.end), os.fdopen(reading, "rb", buffering=0)
        )

    async def call(self, method: str, params: Json) -> Any:
        """Its answer. Raises Thrown for what a plugin threw, PluginError for all else."""
        if self.ended.is_set():
            raise PluginError(self._reason)
        self._last += 1
        number = self._last
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send({"id": number, "method": method, "params": params})
            return await waiting
        finally:
            self._waiting.pop(number, None)

    def notify(self, method: str, params: Json) -> None:
        if not self.ended.is_set():
            self._send({"method": method, "params": params})

    def event(self, listener: int, event: Json) -> None:
        """Hand over an event without waiting. One told to several listeners in a row travels once;
        of too many the oldest are dropped."""
        if self.ended.is_set():
            return
        if self._events and self._events[-1][1] is event:
            self._events[-1][0].append(listener)
            return
        self._events.append(([listener], event))
        if len(self._events) > MAX_EVENTS:
            self._events.popleft()
            self._dropped += 1
            if self._dropped == 1:
                log.warning("the plugin host does not read: events for plugins are dropped")
        if not self._flushing and not self._outlet.paused:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def close_output(self) -> None:
        """Say that nothing more comes: the host ends then."""
        if self._out:
            self._out.close()

    def end(self, reason: str | None = None) -> None:
        """Every call that waits fails, with ``reason``; so does every later one."""
        if self.ended.is_set():
            return
        self._reason = reason or self._reason
        self.ended.set()
        self._events.clear()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(PluginError(self._reason))
        for task in self._answering:
            task.cancel()
        for transport in (self._out, self._in):
            if transport:
                transport.close()

    def say(self, reason: str) -> None:
        """What calls are told once it has ended."""
        self._reason = reason

    # ── sending ───────────────────────────────────────────────────────────────────────────────

    def _send(self, message: Json) -> None:
        assert self._out
        self._out.write(msgspec.json.encode({"jsonrpc": "2.0", **message}) + b"\n")

    def _flush(self) -> None:
        self._flushing = False
        while self._events and not self._outlet.paused and not self.ended.is_set():
            listeners, event = self._events.popleft()
            self._send({"method": "event", "params": {"plugins": listeners, "event": event}})
        if self._dropped and not self._events:
            log.warning("%d events were not told to plugins", self._dropped)
            self._dropped = 0

    # ── receiving ─────────────────────────────────────────────────────────────────────────────

    def _take(self, line: bytes) -> None:
        try:
            message = msgspec.json.decode(line)
        except msgspec.DecodeError:
            log.warning("no message of the plugin host: %s", line[:200].decode("utf-8", "replace"))
            return
        if "method" not in message:
            self._answered(message)
        elif "id" in message:
            task = asyncio.create_task(self._answer(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            self._heard(message["method"], message.get("params") or {})

    def _answered(self, message: Json) -> None:
        waiting = self._waiting.get(message.get("id", 0))
        if waiting is None or waiting.done():
            return  # whoever asked has gone
        error = message.get("error")
        if error is None:
            waiting.set_result(message.get("result"))
        elif error.get("code") == THREW:
            waiting.set_exception(Thrown(error["message"], error.get("data") or {}))
        else:
            waiting.set_exception(PluginError(f"the plugin host: {error['message']}"))

    async def _answer(self, message: Json) -> None:
        answer: Json = {"id": message["id"]}
        try:
            answer["result"] = await self._methods[message["method"]](message.get("params") or {})
        except Exception as e:
            data = e.data if isinstance(e, Refusal) else {}
            answer["error"] = {"code": THREW, "message": str(e) or type(e).__name__, "data": data}
        if not self.ended.is_set():
            self._send(answer)


class _Outlet(asyncio.BaseProtocol):
    """Whether the other side reads."""

    def __init__(self, on_resume: Callable[[], None]) -> None:
        self.paused = False
        self._on_resume = on_resume

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._on_resume()


class _Inlet(asyncio.Protocol):
    """Lines out of what arrives."""

    def __init__(self, take: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._take, self._on_end = take, on_end
        self._rest: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        first, *lines = data.split(b"\n")
        self._rest.append(first)
        for line in lines:
            whole, self._rest = b"".join(self._rest), [line]
            if whole:
                self._take(whole)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()
