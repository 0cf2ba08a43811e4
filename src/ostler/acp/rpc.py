"""JSON-RPC 2.0, a message a line, both ways at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

LINE_BYTES = 64 * 2**20
"""The longest line: a prompt with pictures."""

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR, AUTH_REQUIRED = (
    -32700,
    -32600,
    -32601,
    -32602,
    -32603,
    -32000,
)

log = logging.getLogger("ostler.acp")
Json = dict[str, Any]
Handler = Callable[[str, Any], Awaitable[Any]]


class RpcError(Exception):
    """An answer that is an error; also raised for one that the peer gave."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data

    def body(self) -> Json:
        data = {} if self.data is None else {"data": self.data}
        return {"code": self.code, "message": str(self), **data}


class Connection:
    """``handle(method, params)`` answers requests and notifications, each in a task of its own; it
    may raise RpcError."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler
    ) -> None:
        self._reader, self._writer, self._handle = reader, writer, handle
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next = 0

    async def run(self) -> None:
        """Until the peer closes its side."""
        try:
            while line := await self._reader.readline():
                if line.strip():
                    self._take(line)
        except (asyncio.LimitOverrunError, ValueError):
            self.send({"id": None, "error": RpcError(PARSE_ERROR, "The line is too long").body()})
        finally:
            for task in self._tasks:
                task.cancel()
            for future in self._waiting.values():
                future.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def send(self, message: Json) -> None:
        self._writer.write(msgspec.json.encode({"jsonrpc": "2.0", **message}) + b"\n")

    async def drain(self) -> None:
        """Until the peer has taken most of what was sent. Raises ConnectionError."""
        await self._writer.drain()

    def notify(self, method: str, params: Json) -> None:
        self.send({"method": method, "params": params})

    async def request(self, method: str, params: Json) -> Any:
        """The peer's result. Raises RpcError; waits as long as the peer does."""
        number = self._next
        self._next += 1
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.send({"id": number, "method": method, "params": params})
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def _take(self, line: bytes) -> None:
        try:
            message = msgspec.json.decode(line)
        except msgspec.DecodeError as e:
            self.send({"id": None, "error": RpcError(PARSE_ERROR, f"Parse error: {e}").body()})
            return
        if not isinstance(message, dict) or not ("method" in message or "id" in message):
            error = RpcError(INVALID_REQUEST, "Invalid request: neither a method nor an id")
            self.send({"id": None, "error": error.body()})
        elif "method" in message:
            task = asyncio.create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._resolve(message)

    def _resolve(self, message: Json) -> None:
        future = self._waiting.get(message["id"]) if isinstance(message["id"], int) else None
        if future is None or future.done():
            return
        error = message.get("error")
        if isinstance(error, dict):
            code, said = error.get("code", INTERNAL_ERROR), str(error.get("message"))
            future.set_exception(RpcError(code, said, error.get("data")))
        else:
            future.set_result(message.get("result"))

    async def _answer(self, message: Json) -> None:
        try:
            result = await self._handle(str(message["method"]), message.get("params"))
        except RpcError as e:
            answer: Json = {"error": e.body()}
        except Exception as e:
            log.exception("%s failed", message["method"])
            answer = {"error": RpcError(INTERNAL_ERROR, f"Internal error: {e}").body()}
        else:
            answer = {"result": result}
        if "id" in message:
            self.send({"id": message["id"], **answer})
