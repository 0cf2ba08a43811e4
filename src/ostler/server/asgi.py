"""HTTP as the server's modules see it: a request, the answers one can give, and nothing else.

A thin layer straight on ASGI (docs/design.md says why no framework): routes are found by a tree of
path segments, bodies are bounded, JSON is msgspec's.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from ostler.schema.errors import BadRequest, RequestError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_LIMIT = 64 * 2**20
"""Bytes of a request body (attachments travel inside JSON)."""

encode = msgspec.json.Encoder().encode


class PayloadTooLarge(RequestError):
    """The body exceeds BODY_LIMIT."""

    status = 413


class UnsupportedMediaType(RequestError):
    """The body is not JSON by its own account."""

    status = 415


class Request:
    """``path_params`` are the values of ``{names}`` in the route's path, percent-decoded."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self._receive = scope, receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.path_params: dict[str, str] = {}
        self._headers: dict[str, str] | None = None
        self._query: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name; of a repeated one the last."""
        if self._headers is None:
            self._headers = {
                k.decode("latin-1"): v.decode("latin-1") for k, v in self.scope["headers"]
            }
        return self._headers

    @property
    def query(self) -> dict[str, str]:
        """Of a repeated key the last value."""
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            self._query = dict(parse_qsl(text, keep_blank_values=True)) if text else {}
        return self._query

    async def body(self) -> bytes:
        """Raises PayloadTooLarge."""
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > BODY_LIMIT:
            raise PayloadTooLarge(f"the body may have {BODY_LIMIT} bytes at most")
        data = b""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            data = data + chunk if data else chunk
            if len(data) > BODY_LIMIT:
                raise PayloadTooLarge(f"the body may have {BODY_LIMIT} bytes at most")
            if not message.get("more_body"):
                return data

    async def receive(self) -> Any:
        """The next message of a websocket."""
        return await self._receive()

    async def disconnected(self) -> None:
        """Return once the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class Response(msgspec.Struct):
    """``headers`` beside content-type and content-length."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = []


class Stream(msgspec.Struct):
    """An answer that is sent as it is made; ``chunks`` is closed when the client goes."""

    chunks: AsyncIterator[bytes]
    content_type: str
    headers: list[tuple[str, str]] = []


EMPTY = Response(b"", 204, "")
TRUE = Response(b"true")


def json_response(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status)


async def send_response(send: Send, response: Response, extra: Iterable[tuple[str, str]]) -> None:
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in (*response.headers, *extra)]
    if response.content_type:
        headers.append((b"content-type", response.content_type.encode("latin-1")))
    if response.status != 204:
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def send_stream(send: Send, stream: Stream, extra: Iterable[tuple[str, str]]) -> None:
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in (*stream.headers, *extra)]
    headers.append((b"content-type", stream.content_type.encode("latin-1")))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for chunk in stream.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await end_stream(send)


async def end_stream(send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


class Router:
    """Paths with ``{name}`` segments to targets, by method. A fixed segment beats a name."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, method: str, path: str, target: Any) -> None:
        node = self._root
        names = []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.named = node.named or _Node()
                node = node.named
            else:
                node = node.fixed.setdefault(segment, _Node())
        node.targets[method] = (target, names)

    def find(self, method: str, path: str) -> tuple[Any, dict[str, str]] | None:
        """(target, path parameters), or None for an unknown path or method."""
        found = self._root.find([unquote(s) for s in path.strip("/").split("/")], 0, [])
        if found is None:
            return None
        node, values = found
        entry = node.targets.get(method)
        if entry is None:
            return None
        target, names = entry
        return target, dict(zip(names, values, strict=True))


class _Node:
    __slots__ = ("fixed", "named", "targets")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.named: _Node | None = None
        self.targets: dict[str, tuple[Any, list[str]]] = {}

    def find(
        self, segments: list[str], index: int, values: list[str]
    ) -> "tuple[_Node, list[str]] | None":
        if index == len(segments):
            return (self, values) if self.targets else None
        segment = segments[index]
        child = self.fixed.get(segment)
        if child is not None:
            found = child.find(segments, index + 1, values)
            if found is not None:
                return found
        if self.named is not None and segment:
            return self.named.find(segments, index + 1, [*values, segment])
        return None


def decode_json(data: bytes, decoder: "msgspec.json.Decoder[Any]", content_type: str) -> Any:
    """The body as the decoder's type. Raises BadRequest that names the field, or
    UnsupportedMediaType."""
    if content_type and "json" not in content_type:
        raise UnsupportedMediaType(f"Unsupported content-type: {content_type}")
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as e:
        raise BadRequest(str(e), "Payload") from None
    except msgspec.DecodeError as e:
        raise BadRequest(f"The body is not valid JSON: {e}", "Body") from None
