"""Requests that plugins send to the very server they run in: straight to its ASGI application,
without a port and without a password."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ostler.integrations.plugins.plugin import Fetch, HttpAnswer, HttpCall

if TYPE_CHECKING:
    import httpx

BASE = "http://ostler"
QUEUED = 16
"""Pieces of an answer that wait to be read; then the server waits too."""

Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]


async def fetch(app: App, call: HttpCall) -> HttpAnswer:
    """The answer once its headers are there; ``call.url`` is a path. Raises what the application
    raises before that."""
    exchange = _Exchange(call)
    task = asyncio.create_task(exchange.run(app))
    try:
        await exchange.started
    except asyncio.CancelledError:
        task.cancel()
        raise
    return HttpAnswer(status=exchange.status, headers=exchange.headers, body=exchange)


class _Exchange:
    def __init__(self, call: HttpCall) -> None:
        self._call, self._asked = call, False
        self._gone = asyncio.Event()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED)
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = 500
        self.headers: dict[str, str] = {}

    async def run(self, app: App) -> None:
        path, _, query = self._call.url.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._call.method.upper(),
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in self._call.headers.items()
            ],
            "client": ("127.0.0.1", 0),
            "server": ("ostler", 80),
        }
        try:
            await app(scope, self._receive, self._send)
        except BaseException as e:
            if not self.started.done():
                self.started.set_exception(e)
        finally:
            await self._put(None)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._call.body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in message.get("headers", ())
            }
            self.started.set_result(None)
        elif message["type"] == "http.response.body" and message.get("body"):
            await self._put(message["body"])

    async def _put(self, piece: bytes | None) -> None:
        if self._gone.is_set():
            return
        putting = asyncio.ensure_future(self._queue.put(piece))
        gone = asyncio.ensure_future(self._gone.wait())
        await asyncio.wait((putting, gone), return_when=asyncio.FIRST_COMPLETED)
        putting.cancel()
        gone.cancel()

    # ── the body, for who asked ──────────────────────────────────────────────────────────────

    def __aiter__(self) -> "_Exchange":
        return self

    async def __anext__(self) -> bytes:
        piece = await self._queue.get()
        if piece is None:
            self._gone.set()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Nobody reads on: to the application the client has gone."""
        self._gone.set()


def http_client(fetch: Fetch, directory: str) -> "httpx.AsyncClient":
    """An HTTP client of this server, for one directory of it."""
    import httpx

    class Body(httpx.AsyncByteStream):
        def __init__(self, pieces: Any) -> None:
            self._pieces = pieces

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._pieces:
                yield piece

        async def aclose(self) -> None:
            await self._pieces.aclose()

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            call = HttpCall(
                method=request.method,
                url=request.url.raw_path.decode("ascii"),
                headers={name: value for name, value in request.headers.items() if name != "host"},
                body=await request.aread(),
            )
            answer = await fetch(call)
            return httpx.Response(
                answer.status, headers=dict(answer.headers), stream=Body(answer.body)
            )

    return httpx.AsyncClient(
        transport=Transport(),
        base_url=BASE,
        headers={"x-opencode-directory": directory},
        timeout=None,
    )
