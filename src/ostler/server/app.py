"""The ASGI application: who may ask, which operation answers, how an error is told."""

import asyncio
import base64
import binascii
import hmac
import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from ostler.schema.errors import RequestError, StoreFailure
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
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_PUBLIC = frozenset(
    ("/site.webmanifest", "/web-app-manifest-192x192.png", "/web-app-manifest-512x512.png")
)


class Access(msgspec.Struct, frozen=True):
    """Who may talk to the server. ``password`` None: whoever reaches it. ``hosts``: names the Host
    header may carry besides loopback's, empty for any; ``origins``: web origins allowed."""

    password: str | None = None
    username: str = "opencode"
    hosts: frozenset[str] = frozenset()
    any_host: bool = False
    origins: frozenset[str] = frozenset()


class App:
    def __init__(self, runtime: "Runtime", access: Access) -> None:
        from ostler.server import load_operations

        self.runtime, self.access = runtime, access
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
            answer = self._refuse(request) or await self._answer(request)
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
        if not self._origin_allowed(request.headers):
            return json_response(_foreign(request), 403)
        if "ticket" in request.query:
            return None if self._host_allowed(request.headers) else self._refuse(request)
        return self._refuse(request)

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

    # ── who may ask ──────────────────────────────────────────────────────────────────────────

    def _refuse(self, request: Request) -> Response | None:
        """The refusal of a request that may not be served, None for one that may."""
        if not self._host_allowed(request.headers):
            return json_response(
                _forbidden(
                    f"Host {request.headers.get('host', '')!r} is not one of this server's names; "
                    "add it with --hostname or server.hostname"
                ),
                403,
            )
        if request.method not in _SAFE and not self._origin_allowed(request.headers):
            return json_response(_foreign(request), 403)
        if request.method == "OPTIONS" or (request.method == "GET" and request.path in _PUBLIC):
            return None
        if self.access.password is not None and not self._authorized(request):
            return self._unauthorized(request)
        return None

    def _host_allowed(self, headers: Mapping[str, str]) -> bool:
        """A page that rebinds its name to this address is told apart by its Host header."""
        if self.access.any_host:
            return True
        host = urlsplit("//" + headers.get("host", "")).hostname or ""
        return is_loopback(host) or host in self.access.hosts

    def _origin_allowed(self, headers: Mapping[str, str]) -> bool:
        """A browser says which site's page a request comes from; programs say nothing. A page may
        send some requests without being able to read the answers: those are refused."""
        origin = headers.get("origin")
        if origin is None or origin in self.access.origins:
            return True
        return urlsplit(origin).netloc == headers.get("host")

    def _authorized(self, request: Request) -> bool:
        token = request.query.get("auth_token")
        if token is None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "basic":
                return False
        try:
            given = base64.b64decode(token.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        expected = f"{self.access.username}:{self.access.password}".encode()
        return hmac.compare_digest(given, expected)

    def _unauthorized(self, request: Request) -> Response:
        headers = [("www-authenticate", 'Basic realm="Secure Area"')]
        if request.path.startswith("/api/"):
            body = b'{"_tag":"UnauthorizedError","message":"Authentication required"}'
            return Response(body, 401, headers=headers)
        return Response(b"", 401, "", headers)

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


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _forbidden(message: str) -> dict[str, Any]:
    return {"name": "Forbidden", "data": {"message": message}}


def _foreign(request: Request) -> dict[str, Any]:
    origin = request.headers.get("origin")
    return _forbidden(f"Pages of {origin!r} may not do this; --cors or server.cors allows them")


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
