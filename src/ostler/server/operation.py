"""Operations: what a route does, with the types it takes and gives.

A noun's module declares them with ``@operation(...)``; the server routes by them, decodes requests
with their types, and writes the OpenAPI document from the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from ostler.schema.errors import BadRequest
from ostler.server.asgi import Request, Send, decode_json

if TYPE_CHECKING:
    from ostler.engine.instance import Instance
    from ostler.runtime import Runtime

Handler = Callable[["Context"], Awaitable[Any]]


class Operation(msgspec.Struct, dict=True, eq=False):
    """``body`` and ``query`` are types the request is decoded to; ``answer`` is the type of the
    200 body, None for 204. ``optional_body``: an empty body counts as ``{}``."""

    method: str
    path: str
    id: str
    handler: Handler
    body: Any = None
    query: type[msgspec.Struct] | None = None
    answer: Any = None
    errors: tuple[int, ...] = ()
    optional_body: bool = False
    answer_type: str = "application/json"

    @cached_property
    def decoder(self) -> "msgspec.json.Decoder[Any]":
        return msgspec.json.Decoder(self.body)


OPERATIONS: list[Operation] = []

SocketHandler = Callable[["Runtime", Request, Send, asyncio.Event], Coroutine[Any, Any, None]]
"""Gets the request, whose ``receive`` reads on, and an event that is set when the server stops.
Raises RequestError before it accepts."""
SOCKETS: dict[str, SocketHandler] = {}
"""Path -> who speaks over websockets there."""


def operation(
    route: str,
    operation_id: str,
    *,
    body: Any = None,
    query: type[msgspec.Struct] | None = None,
    answer: Any = None,
    errors: tuple[int, ...] = (),
    optional_body: bool = False,
    answer_type: str = "application/json",
) -> Callable[[Handler], Handler]:
    """Declare the decorated coroutine as the operation of ``route``, e.g. ``"GET /session"``."""

    def declare(handler: Handler) -> Handler:
        method, path = route.split(" ")
        OPERATIONS.append(
            Operation(
                method=method,
                path=path,
                id=operation_id,
                handler=handler,
                body=body,
                query=query,
                answer=answer,
                errors=errors,
                optional_body=optional_body,
                answer_type=answer_type,
            )
        )
        return handler

    return declare


class Context:
    """One request being served: ``body`` and ``query`` are of the operation's types."""

    def __init__(self, request: Request, runtime: "Runtime", operation: Operation) -> None:
        self.request, self.runtime, self.operation = request, runtime, operation
        self.params = request.path_params
        self.body: Any = None
        self.query: Any = None

    async def decode(self) -> None:
        """Decode query and body. Raises BadRequest, UnsupportedMediaType, PayloadTooLarge."""
        check_ids(self.params)
        if self.operation.query is not None:
            self.query = decode_query(self.request.query, self.operation.query)
        if self.operation.body is not None:
            data = await self.request.body()
            if not data.strip():
                if not self.operation.optional_body:
                    raise BadRequest("Expected a JSON object, got an empty body", "Body")
                data = b"{}"
            content_type = self.request.headers.get("content-type", "")
            self.body = decode_json(data, self.operation.decoder, content_type)

    async def instance(self) -> "Instance":
        """The instance of the directory the request is about: a session's own one, else the query
        parameter, the header, the server's directory. Raises ConfigError, NotFound."""
        session_id = self.params.get("sessionID")
        if session_id is not None:
            return await self.runtime.instance_of(session_id)
        return await self.runtime.instance(self.directory())

    def directory(self) -> str | None:
        """See ``requested_directory``."""
        return requested_directory(self.request)


def requested_directory(request: Request) -> str | None:
    """The directory a request names, percent-decoded once more (OpenCode 1.18); None: the
    server's own."""
    query = request.query
    named = (
        query.get("directory")
        or query.get("location[directory]")
        or request.headers.get("x-opencode-directory")
    )
    return unquote(named, errors="surrogateescape") if named else None


_ID_PREFIXES = {
    "sessionID": "ses",
    "messageID": "msg",
    "partID": "prt",
    "permissionID": "per",
    "ptyID": "pty",
}


def check_ids(params: dict[str, str]) -> None:
    """Raises BadRequest for an id of the wrong kind."""
    for name, value in params.items():
        prefix = _ID_PREFIXES.get(name)
        if prefix is not None and not value.startswith(prefix):
            raise BadRequest(
                f'Expected a string starting with "{prefix}", got "{value}"\n  at ["{name}"]',
                "Params",
            )


def decode_query(query: dict[str, str], kind: type[msgspec.Struct]) -> Any:
    """Query strings as a struct: "5" is a number, "true" a boolean. Raises BadRequest."""
    try:
        return msgspec.convert(query, kind, strict=False)
    except msgspec.ValidationError as e:
        raise BadRequest(str(e), "Query") from None
