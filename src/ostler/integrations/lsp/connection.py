"""A language server's process, and JSON-RPC with it over its standard input and output."""

import asyncio
import contextlib
import logging
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ostler.integrations.lsp.framing import Decoder, FramingError, Message, encode
from ostler.programs import LastLines, signal_group

GRACE = 1.0
"""Seconds a server has for ending by itself, and then again after SIGTERM."""
MAX_PENDING = 1_000
"""Requests that wait for an answer."""
MAX_UNSENT = 64 << 20
"""Bytes a server may leave unread in its input."""
LAST_WORDS = 0.1
"""Seconds for what a server that has ended still has to say."""

METHOD_NOT_FOUND = -32601
CONTENT_MODIFIED = -32801
SERVER_CANCELLED = -32802

log = logging.getLogger("ostler.lsp")


class LspError(Exception):
    """A language server did not do what it was asked. The text says why."""


class ServerGone(LspError):
    """It has ended, or cannot be understood any more."""


class NoAnswer(LspError):
    """It did not answer in time."""


class RequestFailed(LspError):
    """It answered with an error."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Handler(Protocol):
    """What a server says of itself. Both return at once."""

    def notified(self, method: str, params: Any) -> None: ...

    def asked(self, method: str, params: Any) -> Any:
        """The answer. Raises LookupError for a method that is not known."""

    def ended(self) -> None:
        """The server is gone, without ``close``."""


class Connection:
    """Close it, also when it has ended: its process group may live on."""

    def __init__(self, process: "subprocess.Popen[bytes]", handler: Handler) -> None:
        self._process, self._handler = process, handler
        self._loop = asyncio.get_running_loop()
        self._input: asyncio.WriteTransport | None = None
        self._outputs: list[asyncio.ReadTransport] = []
        self._decoder = Decoder()
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._ending: str | None = None
        self._closing = False
        program = process.args[0]  # type: ignore[index]
        self._said = LastLines(lambda line: log.debug("%s: %s", program, line))
        self._silent = asyncio.Event()

    @classmethod
    async def open(
        cls,
        command: Sequence[str],
        directory: str,
        environment: Mapping[str, str],
        handler: Handler,
    ) -> "Connection":
        """Start a server in a process group of its own. Raises ServerGone when it cannot be."""
        try:
            process = _run(command, directory, environment)
        except (OSError, ValueError) as e:
            reason = e.strerror if isinstance(e, OSError) else str(e)
            raise ServerGone(f"cannot run {command[0]} in {directory}: {reason}") from None
        connection = cls(process, handler)
        try:
            await connection._connect()
        except BaseException:
            # A pipe that has no transport yet is closed with the process object.
            await connection.close(polite=False)
            raise
        return connection

    async def _connect(self) -> None:
        process, loop = self._process, self._loop
        for pipe, told in ((process.stdout, self._heard), (process.stderr, self._said.feed)):
            ended = self._output_ended if pipe is process.stdout else self._silent.set
            transport, _ = await loop.connect_read_pipe(_listening(told, ended), pipe)
            self._outputs.append(transport)
        self._input, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)

    # ── what we say ──────────────────────────────────────────────────────────────────────────

    async def request(self, method: str, params: Any, seconds: float) -> Any:
        """The result. Raises LspError."""
        if len(self._pending) >= MAX_PENDING:
            raise LspError(f"{MAX_PENDING} requests wait for an answer")
        self._last_id += 1
        number = self._last_id
        message: Message = {"jsonrpc": "2.0", "id": number, "method": method}
        # ``null`` is no value of params (JSON-RPC 2.0); some servers refuse it.
        self._send(message if params is None else {**message, "params": params})
        answer = self._pending[number] = self._loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise NoAnswer(f"{method} was not answered within {seconds:g} s") from None
        finally:
            if self._pending.pop(number, None) is not None and not self._ending:
                with contextlib.suppress(ServerGone):
                    self.notify("$/cancelRequest", {"id": number})

    def notify(self, method: str, params: Any) -> None:
        """Raises ServerGone."""
        message: Message = {"jsonrpc": "2.0", "method": method}
        self._send(message if params is None else {**message, "params": params})

    def check(self) -> None:
        """Raises ServerGone when it is."""
        if self._ending is not None or self._input is None or self._input.is_closing():
            raise ServerGone(self._ending or "it does not listen any more")

    def _send(self, message: Message) -> None:
        self.check()
        assert self._input is not None
        try:
            data = encode(message)
        except UnicodeEncodeError:  # a setting that is half of a surrogate pair
            raise LspError("it cannot be told what is no Unicode") from None
        self._input.write(data)
        if self._input.get_write_buffer_size() > MAX_UNSENT:
            self._end(f"it left {MAX_UNSENT} bytes unread")
            raise ServerGone(f"it left {MAX_UNSENT} bytes unread")

    # ── what we hear ─────────────────────────────────────────────────────────────────────────

    def _heard(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                self._take(message)
        except FramingError as e:
            self._end(f"it cannot be understood: {e}")

    def _take(self, message: Message) -> None:
        method, number = message.get("method"), message.get("id")
        if isinstance(method, str):
            if number is None:
                self._handler.notified(method, message.get("params"))
            else:
                self._reply(number, method, message.get("params"))
            return
        waiting = self._pending.pop(number, None) if isinstance(number, int) else None
        if waiting is None or waiting.done():
            return
        error = message.get("error")
        if not isinstance(error, dict):
            waiting.set_result(message.get("result"))
            return
        code = error.get("code")
        waiting.set_exception(
            RequestFailed(str(error.get("message")), code if isinstance(code, int) else 0)
        )

    def _reply(self, number: Any, method: str, params: Any) -> None:
        answer: Message = {"jsonrpc": "2.0", "id": number}
        try:
            answer["result"] = self._handler.asked(method, params)
        except LookupError:
            answer["error"] = {"code": METHOD_NOT_FOUND, "message": f"{method} is not known here"}
        with contextlib.suppress(ServerGone):
            self._send(answer)

    async def last_words(self) -> str:
        """The last lines of standard error, to be put behind a failure; empty where it has none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._silent.wait()
        said = self._said.text()
        return f"\n{said}" if said else ""

    def _output_ended(self) -> None:
        self._end("it has ended")

    def _end(self, why: str) -> None:
        """No more is said or heard; whoever waits is told."""
        if self._ending is not None:
            return
        self._ending = why
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(ServerGone(why))
        if not self._closing:
            self._handler.ended()

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    async def close(self, polite: bool = True) -> None:
        """End the server and all it started. ``polite``: ask it first."""
        self._closing = True
        try:
            if polite and self._ending is None:
                with contextlib.suppress(LspError):
                    await self.request("shutdown", None, GRACE)
                    self.notify("exit", None)
                self._hang_up()
                await self._gone(GRACE)
            if self._process.poll() is None:
                signal_group(self._process.pid, signal.SIGTERM)
                await self._gone(GRACE)
        finally:
            # Also what it left behind, and also when the caller has no time.
            signal_group(self._process.pid, signal.SIGKILL)
            self._end("it was ended")
            self._hang_up()
            for transport in self._outputs:
                transport.close()
        await self._gone(GRACE)

    def _hang_up(self) -> None:
        if self._input is not None:
            self._input.close()

    async def _gone(self, seconds: float) -> None:
        """Until the process has ended; so long at most."""
        deadline = self._loop.time() + seconds
        while self._loop.time() < deadline:
            if self._process.poll() is not None:
                return
            await asyncio.sleep(0.005)


def _run(
    command: Sequence[str], directory: str, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Not with the event loop's own: forking the whole process takes it longer (docs/design.md)."""
    return subprocess.Popen(
        command,
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


class _Listening(asyncio.Protocol):
    def __init__(self, told: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._told, self._ended = told, ended

    def data_received(self, data: bytes) -> None:
        self._told(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()


def _listening(
    told: Callable[[bytes], None], ended: Callable[[], None]
) -> Callable[[], _Listening]:
    return lambda: _Listening(told, ended)
