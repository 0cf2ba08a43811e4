"""HTTP to servers we talk to at length: streaming exchanges over kept-alive connections.

Two implementations of one protocol: ``DirectTransport`` speaks HTTP/1.1 itself over asyncio with
httptools (a request costs 0.1 ms of CPU where httpx costs 1.6 ms, and importing it is free where
httpx takes 0.25 s; see docs/design.md), and ``ostler.proxy.ProxyTransport`` is httpx, used where
the environment asks for a proxy.
"""

import asyncio
import os
import ssl
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Any, Literal, Protocol, cast
from urllib.parse import urlsplit

import msgspec

from ostler.schema.errors import OstlerError

IDLE_SECONDS = 30.0
"""How long an unused connection is kept."""
IDLE_CONNECTIONS = 64
"""How many unused connections are kept per server."""
HIGH_WATER = 2**20
"""Bytes buffered for a slow reader before the socket is no longer read."""


Kind = Literal["unavailable", "timeout", "bad_stream", "invalid_request"]


class TransportError(OstlerError):
    """``kind``: no connection or a broken one, too slow, not HTTP, or a request that cannot be.
    ``sent``: the request may have arrived."""

    def __init__(self, kind: Kind, message: str, url: str, sent: bool = True) -> None:
        super().__init__(message)
        self.kind, self.url, self.sent = kind, url, sent


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds; None is no limit. ``header``: until the status line; ``chunk``: between bytes of
    the body; ``total``: the whole exchange."""

    connect: float = 30.0
    header: float | None = 300.0
    chunk: float | None = 300.0
    total: float | None = None


class HttpRequest(msgspec.Struct, frozen=True):
    """``repeatable``: sent again where a kept connection breaks before a byte of the answer, though
    nobody knows whether the server had read it."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    timeouts: Timeouts = Timeouts()
    repeatable: bool = True


class HttpResponse(Protocol):
    """``headers`` have lower-case names. Close it when done, or nothing is reused."""

    status: int
    headers: dict[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises TransportError."""

    async def close(self) -> None: ...


class Transport(Protocol):
    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send and wait for the status line. Raises TransportError."""

    async def close(self) -> None: ...


async def read_body(response: HttpResponse, limit: int = 2**20) -> bytes:
    """The body up to ``limit`` bytes; a body that breaks off is returned as far as it came."""
    data = bytearray()
    try:
        async for chunk in response.chunks():
            data += chunk
            if len(data) >= limit:
                break
    except TransportError:
        pass
    return bytes(data[:limit])


class DirectTransport:
    """Kept-alive HTTP/1.1 connections, one exchange at a time on each."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str, int], list[_Connection]] = {}

    async def send(self, request: HttpRequest) -> "DirectResponse":
        target = urlsplit(request.url)
        origin = _origin(target.scheme, target.hostname, target.port, request.url)
        head = _head(request, target.path or "/", target.query, target.netloc)
        while True:
            connection = self._take(origin)
            reused = connection is not None
            if connection is None:
                connection = await _connect(origin, request)
            connection.begin(head + request.body)
            try:
                await connection.wait_for_headers(request.timeouts.header)
            except _NothingCame as e:
                connection.abort()
                if reused and request.repeatable:  # most likely the server had closed it
                    continue
                raise TransportError("unavailable", str(e), request.url) from None
            except BaseException:
                connection.abort()
                raise
            return DirectResponse(self, origin, connection, request)

    async def close(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    def release(self, origin: tuple[str, str, int], connection: "_Connection") -> None:
        kept = self._idle.setdefault(origin, [])
        if len(kept) < IDLE_CONNECTIONS:
            connection.idle_since = time.monotonic()
            kept.append(connection)
        else:
            connection.abort()

    def _take(self, origin: tuple[str, str, int]) -> "_Connection | None":
        kept = self._idle.get(origin, [])
        oldest = time.monotonic() - IDLE_SECONDS
        while kept:
            connection = kept.pop()
            if not connection.closed and connection.idle_since >= oldest:
                return connection
            connection.abort()
        return None


class DirectResponse:
    def __init__(
        self,
        transport: DirectTransport,
        origin: tuple[str, str, int],
        connection: "_Connection",
        request: HttpRequest,
    ) -> None:
        self._transport, self._origin = transport, origin
        self._connection, self._request = connection, request
        self.status, self.headers = connection.status, connection.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        inflate = _inflater(self.headers.get("content-encoding", ""))
        while True:
            try:
                chunk = await self._connection.next_chunk(self._request.timeouts.chunk)
            except _NothingCame as e:
                raise TransportError("unavailable", str(e), self._request.url) from None
            if chunk is None:
                return
            if inflate is None:
                yield chunk
                continue
            try:
                yield inflate.decompress(chunk)
            except zlib.error as e:
                raise TransportError(
                    "bad_stream",
                    f"the body is not {self.headers['content-encoding']}: {e}",
                    self._request.url,
                ) from None

    async def close(self) -> None:
        if self._connection.reusable:
            self._transport.release(self._origin, self._connection)
        else:
            self._connection.abort()


class _NothingCame(Exception):
    """The connection ended where more was due."""


class _Connection(asyncio.Protocol):
    """One connection; ``begin`` an exchange, wait for headers, take chunks until None."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self.closed = False
        self.idle_since = 0.0
        self._reset()

    def _reset(self) -> None:
        self._parser: Any = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self._headers_done = False
        self._complete = self._keeps = False
        self._problem: TransportError | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._paused = False

    # ── the exchange ─────────────────────────────────────────────────────────────────────────

    def begin(self, data: bytes) -> None:
        from httptools import HttpResponseParser

        self._reset()
        self._parser = HttpResponseParser(self)
        assert self._transport is not None
        self._transport.write(data)

    async def wait_for_headers(self, timeout: float | None) -> None:
        while not self._headers_done:
            self._raise_problem("the server closed the connection before answering")
            if not await self._wait(timeout):
                raise TransportError(
                    "timeout",
                    f"Provider response headers timed out after {(timeout or 0) * 1000:.0f}ms",
                    self._url,
                )

    async def next_chunk(self, timeout: float | None) -> bytes | None:
        while not self._chunks:
            if self._complete:
                return None
            self._raise_problem("the server closed the connection before the end of its answer")
            if not await self._wait(timeout):
                raise TransportError(
                    "timeout", f"SSE read timed out: no bytes for {timeout or 0:.0f} s", self._url
                )
        chunk = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    @property
    def reusable(self) -> bool:
        return self._keeps and self._complete and not self.closed and not self._chunks

    def abort(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, timeout: float | None) -> bool:
        """False when the time is up."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if timeout is None else loop.call_later(timeout, self._wake, False)
        try:
            return await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self, came: bool = True) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(came)

    def _raise_problem(self, ended: str) -> None:
        if self._problem is not None:
            raise self._problem
        if self.closed:
            raise _NothingCame(ended)

    # ── asyncio.Protocol ─────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._complete:
            self.abort()  # bytes nobody asked for
            return
        try:
            self._parser.feed_data(data)
        except Exception as e:  # httptools' parser errors, or what its callbacks raise
            if not self._complete:
                self._problem = TransportError(
                    "bad_stream", f"the server does not speak HTTP/1.1: {e}", self._url
                )
            self.abort()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        until_close = (
            self._headers_done
            and "content-length" not in self.headers
            and "chunked" not in self.headers.get("transfer-encoding", "")
        )
        if until_close and exc is None:
            self._complete = True
        self._wake()

    # ── httptools ────────────────────────────────────────────────────────────────────────────

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._headers_done = True
        else:
            self.headers = {}

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._headers_done:
            self._complete = True
            # Afterwards the parser has forgotten the headers and says no.
            self._keeps = bool(self._parser.should_keep_alive())


def _origin(scheme: str, host: str | None, port: int | None, url: str) -> tuple[str, str, int]:
    if scheme not in ("http", "https") or not host:
        raise TransportError("invalid_request", f"not an http(s) URL: {url!r}", url)
    return scheme, host, port or (443 if scheme == "https" else 80)


def _head(request: HttpRequest, path: str, query: str, netloc: str) -> bytes:
    host = netloc.rpartition("@")[2]
    lines = [
        f"{request.method} {path}{'?' + query if query else ''} HTTP/1.1",
        f"host: {host}",
        f"content-length: {len(request.body)}",
        "accept-encoding: identity",
        *(f"{name}: {value}" for name, value in request.headers.items()),
    ]
    if any("\r" in line or "\n" in line for line in lines):
        raise TransportError(
            "invalid_request", "a header or the URL contains a line break", request.url
        )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


async def _connect(origin: tuple[str, str, int], request: HttpRequest) -> _Connection:
    scheme, host, port = origin
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(request.timeouts.connect):
            _, connection = await loop.create_connection(
                lambda: _Connection(request.url),
                host,
                port,
                ssl=_tls() if scheme == "https" else None,
                server_hostname=host if scheme == "https" else None,
            )
    except TimeoutError:
        raise TransportError(
            "timeout",
            f"cannot connect to {host}:{port} within {request.timeouts.connect:.0f} s",
            request.url,
            sent=False,
        ) from None
    except ssl.SSLError as e:
        raise TransportError(
            "unavailable", f"TLS with {host}:{port} failed: {e}", request.url, sent=False
        ) from None
    except OSError as e:
        raise TransportError(
            "unavailable", f"cannot connect to {host}:{port}: {e}", request.url, sent=False
        ) from None
    return connection


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not os.path.isdir(
        ssl.get_default_verify_paths().capath or ""
    ):
        import certifi  # comes with httpx; for machines without a system store

        context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _inflater(encoding: str) -> Any | None:
    """For servers that compress although asked not to."""
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    return zlib.decompressobj() if encoding == "deflate" else None
