"""The ASGI application: who may ask, which operation answers, how an error is told."""

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any

from ostler.schema.errors import RequestError, StoreFailure
from ostler.server.access import Access, Guard, foreign
from ostler.server.asgi import (
    EMPTY,
    ClientGone,
    Receive,
    Request,
    Response,
    Router,
    Scope,
    Send,
    Stream,
    end_stream,
    json_response,
    send_response,
    send_stream,
)
from ostler.server.operation import OPERATIONS, SOCKETS, Context, Operation
from ostler.server.socket import refuse_socket

if TYPE_CHECKING:
    from ostler.runtime import Runtime

log = logging.getLogger(__name__)

CLOSING_SECONDS = 0.5
_CORS_SECONDS = "86400"
_METHODS = "GET, HEAD, PUT, PATCH, POST, DELETE"


class App:
    def __init__(self, runtime: "Runtime", access: Access) -> None:
        from ostler.server import load_operations

        self.runtime, self.access = runtime, access
        self._guard = Guard(access)
        self._closing = asyncio.Event()
        self._speaking: set[asyncio.Task[None]] = set()
        self._router = Router()
        load_operations()
        for operation in OPERATIONS:
            self._router.add(operation.method, operation.path, operation)
        self._sockets = Router()
        for path, handler in SOCKETS.items():
            self._sockets.add("GET", path, handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(Request(scope, receive), send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(Request({**scope, "method": "GET"}, receive), send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.runtime.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, request: Request, send: Send) -> None:
        extra = self._cors(request)
        try:
            answer = self._guard.refuse(request) or await self._answer(request)
        except ClientGone:
            return
        except (RequestError, StoreFailure) as e:
            answer = json_response(e.body(), e.status)
        except Exception:
            reference = f"err_{secrets.token_hex(4)}"
            log.exception("%s: %s %s failed", reference, request.method, request.path)
            answer = json_response(_internal(reference), 500)
        if isinstance(answer, Stream):
            await self._stream(request, send, answer, extra)
        else:
            await send_response(send, answer, extra)

    async def _websocket(self, request: Request, send: Send) -> None:
        """Refuse, or hand over to the operation that speaks over websockets at this path."""
        found = self._sockets.find("GET", request.path)
        refusal = self._refuse_socket(request)
        try:
            if refusal is None and found is not None:
                handler, request.path_params = found
                speaking = asyncio.create_task(handler(self.runtime, request, send, self._closing))
                self._speaking.add(speaking)
                speaking.add_done_callback(self._speaking.discard)
                await speaking
                return
        except RequestError as e:
            refusal = json_response(e.body(), e.status)
        await refuse_socket(send, request.scope, refusal or json_response(_no_route(request), 404))

    def _refuse_socket(self, request: Request) -> Response | None:
        """Browsers let any page open a websocket: its Origin says which page it is. Who brings a
        ticket was let in when it was given out."""
        if not self._guard.allows_origin(request.headers):
            return json_response(foreign(request), 403)
        if "ticket" in request.query:
            return None if self._guard.allows_host(request.headers) else self._guard.refuse(request)
        return self._guard.refuse(request)

    async def _answer(self, request: Request) -> Response | Stream:
        if request.method == "OPTIONS":
            return EMPTY
        found = self._router.find(request.method, request.path)
        if found is None:
            return json_response(_no_route(request), 404)
        operation, request.path_params = found
        return await self._operate(operation, request)

    async def _operate(self, operation: Operation, request: Request) -> Response | Stream:
        context = Context(request, self.runtime, operation)
        await context.decode()
        value = await operation.handler(context)
        # What an answer says must be durable before anybody can read it.
        self.runtime.store.commit()
        if isinstance(value, Response | Stream):
            return value
        return EMPTY if operation.answer is None else json_response(value)

    async def _stream(
        self, request: Request, send: Send, stream: Stream, extra: list[tuple[str, str]]
    ) -> None:
        """Until the stream ends, the client goes away or the server stops."""
        ends = [
            asyncio.create_task(send_stream(send, stream, extra)),
            asyncio.create_task(request.disconnected()),
            asyncio.create_task(self._closing.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.wait(ends)
            await stream.chunks.aclose()  # type: ignore[attr-defined]  # they are generators
        if self._closing.is_set():
            await end_stream(send)

    async def close_streams(self) -> None:
        """End every open stream and websocket: the server is about to stop."""
        self._closing.set()
        if self._speaking:  # uvicorn closes what is left after that
            await asyncio.wait(self._speaking, timeout=CLOSING_SECONDS)

    def _cors(self, request: Request) -> list[tuple[str, str]]:
        headers = [("vary", "Origin")]
        origin = request.headers.get("origin")
        if origin is not None and origin in self.access.origins:
            headers.append(("access-control-allow-origin", origin))
            headers.append(("access-control-expose-headers", "Link, X-Next-Cursor"))
            if request.method == "OPTIONS":
                wanted = request.headers.get("access-control-request-headers", "")
                headers += [
                    ("access-control-allow-methods", _METHODS),
                    ("access-control-allow-headers", wanted),
                    ("access-control-max-age", _CORS_SECONDS),
                ]
        return headers


def _internal(reference: str) -> dict[str, Any]:
    return {
        "name": "UnknownError",
        "data": {
            "message": f"Unexpected server error {reference}; the server's log has the details.",
            "ref": reference,
        },
    }


def _no_route(request: Request) -> dict[str, Any]:
    return {
        "name": "NotFoundError",
        "data": {"message": f"No such route: {request.method} {request.path}; see GET /doc"},
    }
