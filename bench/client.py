"""Just enough of a client to drive either program, and readers of its events."""

import asyncio
import json
import time
from typing import Any

from ostler.transport import DirectTransport, HttpRequest, Timeouts, read_body

_PATIENT = Timeouts(header=600.0, chunk=600.0)
_ANSWER_BYTES = 2**28
EVENT_SECONDS = 300.0


class Client:
    def __init__(self, url: str) -> None:
        self._url = url
        self._transport = DirectTransport()

    async def fetch(self, method: str, path: str, body: Any = None) -> bytes:
        """The answer's bytes. Raises RuntimeError when the program refuses."""
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        response = await self._transport.send(
            HttpRequest(self._url + path, headers, data, method, _PATIENT)
        )
        answer = await read_body(response, _ANSWER_BYTES)
        await response.close()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        return answer

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.fetch(method, path, body)
        return json.loads(answer) if answer else None

    async def session(self) -> str:
        """A session with a title of its own, so that none is generated."""
        return str((await self.call("POST", "/session", {"title": "bench"}))["id"])

    async def sessions(self, count: int, at_once: int = 10) -> None:
        places = asyncio.Semaphore(at_once)

        async def one() -> None:
            async with places:
                await self.session()

        await asyncio.gather(*(one() for _ in range(count)))

    async def prompt(self, session_id: str, said: str) -> Any:
        answer = await self.call("POST", f"/session/{session_id}/message", _parts(said))
        if answer["info"].get("error"):
            raise RuntimeError(f"the turn failed: {answer['info']['error']}")
        return answer

    async def prompt_async(self, session_id: str, said: str) -> None:
        await self.fetch("POST", f"/session/{session_id}/prompt_async", _parts(said))

    async def timed_prompt(self, session_id: str, said: str) -> float:
        """Seconds until the turn is over."""
        began = time.perf_counter()
        await self.prompt(session_id, said)
        return time.perf_counter() - began

    async def timed_fetch(self, path: str) -> float:
        began = time.perf_counter()
        await self.fetch("GET", path)
        return time.perf_counter() - began

    async def messages(self, session_id: str) -> list[Any]:
        return list(await self.call("GET", f"/session/{session_id}/message"))

    async def close(self) -> None:
        await self._transport.close()


def _parts(said: str) -> Any:
    return {"parts": [{"type": "text", "text": said}]}


class Reader(asyncio.Protocol):
    """A subscriber of ``/event`` that looks for words in what comes, and decodes nothing: a hundred
    of them cost the machine little."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._wanted = b""
        self._found: asyncio.Future[float] | None = None
        self._tail = b""

    @classmethod
    async def open(cls, port: int) -> "Reader":
        """Connected: the server has said so."""
        loop = asyncio.get_running_loop()
        transport, reader = await loop.create_connection(cls, "127.0.0.1", port)
        reader._transport = transport
        connected = reader.sees(b"server.connected")
        transport.write(b"GET /event HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        await connected
        return reader

    def sees(self, wanted: bytes) -> "asyncio.Future[float]":
        """When ``wanted`` has come, from now on: its time, by ``perf_counter``. Raises TimeoutError
        or ConnectionError."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[float] = loop.create_future()
        self._wanted, self._found, self._tail = wanted, found, b""
        late = loop.call_later(EVENT_SECONDS, self._fail, TimeoutError(f"{wanted!r} never came"))
        found.add_done_callback(lambda _: late.cancel())
        return found

    def data_received(self, data: bytes) -> None:
        if self._found is None or self._found.done():
            return
        if self._wanted in self._tail + data:
            self._found.set_result(time.perf_counter())
        self._tail = data[-len(self._wanted) :]

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionError("the event stream ended"))

    def stop_reading(self) -> None:
        """Its socket fills up, as with a client that hangs."""
        self._transport.pause_reading()

    def close(self) -> None:
        self._found = None
        self._transport.abort()

    def _fail(self, cause: Exception) -> None:
        if self._found is not None and not self._found.done():
            self._found.set_exception(cause)
