"""What the HTTP wires share: send a request, tell errors, read the events of the answer."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from ostler import __version__, ids
from ostler.models import failure
from ostler.models.delta import Delta
from ostler.models.request import ModelRequest
from ostler.sse import SSEParser
from ostler.transport import (
    HttpRequest,
    Timeouts,
    Transport,
    TransportError,
    read_body,
)

T = TypeVar("T")

_SECRET_HEADERS = frozenset(
    ("api-key", "authorization", "cf-aig-authorization", "x-api-key", "x-goog-api-key")
)
_SECRET_LENGTH = 6
"""Characters of the shortest credential that is looked for."""

WHOLE_LIMIT = 32 * 2**20
"""Bytes of an answer that is not a stream."""


class Parser(Protocol):
    """Bytes of a stream to its events. ``media``: the content type of such a stream."""

    media: str

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events these bytes complete. Raises ValueError."""

    def close(self) -> list[bytes]: ...


class Decoder(Protocol):
    """A wire's events to deltas; ``done`` once the Finish is among them."""

    done: bool

    def feed(self, events: list[bytes]) -> list[Delta]: ...

    def end(self) -> list[Delta]:
        """What is left when the provider has closed the stream. Raises ModelFailure when that was
        too early."""


async def deltas(
    transport: Transport,
    outgoing: HttpRequest,
    provider_id: str,
    decoder: Decoder,
    parser: Parser | None = None,
) -> AsyncGenerator[list[Delta], None]:
    """Send a request and decode its answer as it arrives: server-sent events, unless ``parser``
    reads others. Raises ModelFailure, which holds no credential of the request even where the
    provider repeats it."""
    batches = event_batches(transport, outgoing, provider_id, parser or SSEParser())
    try:
        async with aclosing(batches):
            async for events in batches:
                found = decoder.feed(events)
                if found:
                    yield found
                if decoder.done:
                    return
        yield decoder.end()
    except failure.ModelFailure as e:
        raise failure.without(e, _secrets(outgoing)) from None


def _secrets(request: HttpRequest) -> list[str]:
    """The credentials that went along."""
    values = (v for name, v in request.headers.items() if name.lower() in _SECRET_HEADERS)
    words = (value.rpartition(" ")[2] for value in values)
    return [word for word in words if len(word) >= _SECRET_LENGTH]


class EventDecoder(Generic[T]):
    """A Decoder whose events are JSON of one type: ``kind`` decodes them, ``expected`` says what
    one should have been."""

    kind: "ClassVar[msgspec.json.Decoder[Any]]"
    expected: ClassVar[str]

    def __init__(self, url: str) -> None:
        self._url = url
        self.done = False

    def feed(self, events: list[bytes]) -> list[Delta]:
        out: list[Delta] = []
        for data in events:
            if self.done:
                break
            if data == b"[DONE]":
                out.extend(self._said_done())
            else:
                self._event(decode(self.kind, data, self.expected, self._url), out)
        return out

    def end(self) -> list[Delta]:
        raise broken_off(self._url)

    def _said_done(self) -> list[Delta]:
        """Not every protocol has this word; some gateways add it to others."""
        return []

    def _event(self, event: T, out: list[Delta]) -> None:
        raise NotImplementedError


class OpenBlock:
    """A block of an answer that is being written; of a call ``pieces`` are its arguments."""

    __slots__ = ("call_id", "data", "id", "kind", "name", "pieces", "signature")

    def __init__(self, kind: str, index: int) -> None:
        self.kind, self.id = kind, f"{kind}_{index}"
        self.call_id = self.name = self.signature = self.data = ""
        self.pieces: list[str] = []


def broken_off(url: str) -> failure.ModelFailure:
    return failure.unavailable("the stream ended before the answer was complete", url)


def decode(decoder: "msgspec.json.Decoder[T]", data: bytes, expected: str, url: str) -> T:
    """One event. Raises ModelFailure; ``expected`` says what it should have been."""
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as e:
        raise failure.bad_stream(
            f"the provider sent {expected}: {e}", url, data[:500].decode("utf-8", "replace")
        ) from None


class CallIds:
    """The ids of one answer's tool calls: a call without one, or with one that was used already,
    gets one of ours."""

    def __init__(self, prefix: str = "call_") -> None:
        self._prefix = prefix
        self._used: set[str] = set()

    def fresh(self, wanted: str | None) -> str:
        if not wanted or wanted in self._used:
            wanted = ids.new("tool").replace("tool_", self._prefix, 1)
        self._used.add(wanted)
        return wanted


async def event_batches(
    transport: Transport, request: HttpRequest, provider_id: str, parser: Parser
) -> AsyncGenerator[list[bytes], None]:
    """The answer's events, as they arrive; of an answer that is plain JSON although a stream was
    asked for, the body. Raises ModelFailure."""
    deadline = _Deadline(request)
    try:
        response = await deadline.hold(transport.send(request))
        try:
            if not 200 <= response.status < 300:
                body = await read_body(response)
                raise failure.from_response(
                    response.status, response.headers, body, request.url, provider_id
                )
            kind = response.headers.get("content-type", parser.media)
            if parser.media not in kind:
                yield [_whole(await read_body(response, WHOLE_LIMIT), kind, request.url)]
                return
            chunks = response.chunks()
            while (chunk := await deadline.hold(anext(chunks, None))) is not None:
                try:
                    events = parser.feed(chunk)
                except ValueError as e:
                    raise failure.bad_stream(str(e), request.url) from None
                if events:
                    yield events
            events = parser.close()
            if events:
                yield events
        finally:
            await response.close()
    except TransportError as e:
        raise failure.from_transport(e) from None


class _Deadline:
    """The time a whole exchange may take, from now on."""

    def __init__(self, request: HttpRequest) -> None:
        total = request.timeouts.total
        self._request = request
        self._at = None if total is None else asyncio.get_running_loop().time() + total

    async def hold(self, work: Awaitable[T]) -> T:
        """What the work gives, if it is there in time. Raises TransportError."""
        if self._at is None:
            return await work
        try:
            async with asyncio.timeout_at(self._at):
                return await work
        except TimeoutError:
            raise TransportError(
                "timeout",
                f"the request took longer than its timeout of {self._request.timeouts.total:g} s",
                self._request.url,
            ) from None


def _whole(body: bytes, kind: str, url: str) -> bytes:
    if "json" not in kind:
        raise failure.bad_stream(
            f"expected an event stream, got {kind}; the base URL may not be an API endpoint",
            url,
            body[:500].decode("utf-8", "replace"),
        )
    return body


def base_url(request: ModelRequest) -> str:
    """Where the API is, without a trailing slash. Raises ModelFailure when nobody says."""
    url = request.provider.options.get("baseURL") or request.model.api.url
    if not url:
        name = request.provider.id
        raise failure.invalid_request(
            f"provider {name} has no base URL: set provider.{name}.options.baseURL in opencode.json"
        )
    unset = re.search(r"\$\{(\w+)\}", str(url))
    if unset:
        name = request.provider.id
        raise failure.missing_credential(
            name,
            f"{request.provider.name} needs {unset[1]}: set the variable, or "
            f"provider.{name}.options.baseURL in opencode.json",
        )
    return str(url).rstrip("/")


def api_key(request: ModelRequest) -> str:
    """The credential, empty where none is set."""
    return str(request.provider.options.get("apiKey") or request.provider.key or "")


def common_headers(request: ModelRequest) -> dict[str, str]:
    """JSON, who we are, which session this is (OpenCode 1.18's affinity headers)."""
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "user-agent": f"ostler/{__version__}",
    }
    if request.session_id:
        headers["x-session-affinity"] = request.session_id
        headers["x-session-id"] = request.session_id
    return headers


def bearer_headers(request: ModelRequest) -> dict[str, str]:
    """The common headers, the key as a bearer token, and what is configured."""
    headers = common_headers(request)
    if key := api_key(request):
        headers["authorization"] = f"Bearer {key}"
    return with_configured(headers, request)


def with_configured(headers: dict[str, str], request: ModelRequest) -> dict[str, str]:
    """The headers that provider, model and caller add, later ones winning."""
    own: Any
    for own in (request.provider.options.get("headers"), request.model.headers, request.headers):
        for name, value in (own or {}).items():
            headers[name.lower()] = str(value)
    return headers


def timeouts(request: ModelRequest) -> Timeouts:
    """``options.timeout``, ``headerTimeout`` and ``chunkTimeout`` (ms, false: none) as seconds."""

    def seconds(name: str, default: float | None) -> float | None:
        value = request.provider.options.get(name)
        if value is False:
            return None
        return value / 1000 if isinstance(value, int) and value is not True else default

    return Timeouts(
        header=seconds("headerTimeout", 300.0),
        chunk=seconds("chunkTimeout", 300.0),
        total=seconds("timeout", None),
    )
