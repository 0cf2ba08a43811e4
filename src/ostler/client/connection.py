"""One server over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from ostler.client.address import Address, checked
from ostler.client.errors import (
    ClientError,
    DeadlineExceeded,
    InvalidAnswer,
    Unreachable,
    refusal,
)
from ostler.proxy import choose
from ostler.transport import HttpRequest, HttpResponse, Timeouts, Transport, TransportError

CONNECT_SECONDS = 10.0
SHOWN = 2000
"""Characters of an answer that an error keeps."""


class _Answered(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    content: bytes

    def is_a(self, media: str) -> bool:
        return self.headers.get("content-type", "").startswith(media)


class Connection:
    """Makes calls. ``directory`` (and ``workspace``) say what they are about where a call does not
    say it; ``deadline`` is how many seconds one may take. Used by one event loop at a time."""

    def __init__(
        self, address: Address, directory: str | None, workspace: str | None, deadline: float
    ) -> None:
        self.address, self.directory, self.workspace = address, directory, workspace
        self.deadline = checked(deadline)
        self._transport: Transport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(
        self,
        route: str,
        answer: Any,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Any:
        """``route`` as in "GET /session/{sessionID}", ``answer`` the type to decode to: None for an
        empty answer, bytes and str for one that is not JSON. What is None in ``query`` and ``body``
        is left out. Raises ClientError, ValueError for a deadline that is none."""
        method, _, template = route.partition(" ")
        seconds = checked(self.deadline if deadline is None else deadline)
        url = self.address.url + self.route(template, path)
        what = f"{method} {template}"
        try:
            async with asyncio.timeout(seconds):
                answered = await self._answered(method, url, query, body, directory, what)
        except TimeoutError:
            raise DeadlineExceeded(f"{what}: no answer within {seconds:g} s", seconds) from None
        return _decoded(answered, answer, what)

    def route(self, template: str, path: Mapping[str, str] | None = None) -> str:
        """The path of a route, its names filled in. Raises ValueError for an empty one."""
        for name, value in (path or {}).items():
            if not value:
                raise ValueError(f"{name} is empty")
            safe = "/" if name == "path" else ""
            template = template.replace("{" + name + "}", quote(value, safe=safe))
        return template

    async def _answered(
        self,
        method: str,
        url: str,
        query: Mapping[str, Any] | None,
        body: Any,
        directory: str | None,
        what: str,
    ) -> _Answered:
        headers = self.headers(directory)
        content = b""
        if body is not None:
            headers["content-type"] = "application/json"
            content = msgspec.json.encode(_given(body) if isinstance(body, dict) else body)
        request = self._request(method, url, query, headers, content)
        with _translated(what):
            response = await self.transport().send(request)
            try:
                return await _read(response)
            finally:
                await response.close()

    def _request(
        self,
        method: str,
        url: str,
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        content: bytes = b"",
        silence: float | None = None,
    ) -> HttpRequest:
        asked = urlencode(self.query(query))
        return HttpRequest(
            f"{url}?{asked}" if asked else url,
            headers,
            content,
            method,
            Timeouts(connect=CONNECT_SECONDS, header=silence, chunk=silence),
            repeatable=method == "GET",
        )

    def query(self, query: Mapping[str, Any] | None) -> dict[str, str]:
        given = _given(query or {})
        if self.workspace:
            given.setdefault("workspace", self.workspace)
        return {name: _text(value) for name, value in given.items()}

    def headers(self, directory: str | None) -> dict[str, str]:
        headers = {"accept": "application/json"}
        located = directory or self.directory
        if located:
            headers["x-opencode-directory"] = quote(located, safe="")
        if self.address.authorization:
            headers["authorization"] = self.address.authorization
        return headers

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        query: Mapping[str, Any] | None,
        directory: str | None,
        more: Mapping[str, str],
        silence: float,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of an answer without an end. Raises ClientError: Unreachable when the
        connection breaks, or nothing comes for ``silence`` seconds."""
        headers = {**self.headers(directory), "accept": "text/event-stream", **more}
        request = self._request("GET", self.address.url + path, query, headers, silence=silence)
        what = f"GET {path}"
        with _translated(what):
            response = await self.transport().send(request)
            try:
                media = response.headers.get("content-type", "")
                if response.status >= 300 or not media.startswith("text/event-stream"):
                    answered = await _read(response)
                    _decoded(answered, Any, what)
                    shown = _shown(answered.content)
                    raise InvalidAnswer(f"{what}: the answer is no event stream", shown)
                yield response.chunks()
            finally:
                await response.close()

    def transport(self) -> Transport:
        loop = asyncio.get_running_loop()
        if self._transport is None or self._loop is not loop:
            self._loop = loop
            # Proxies as the environment says, but never for this machine.
            self._transport = choose(self.address.url, {} if self.address.is_loopback else None)
        return self._transport

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None and self._loop is asyncio.get_running_loop():
            await transport.close()


async def _read(response: HttpResponse) -> _Answered:
    chunks = [chunk async for chunk in response.chunks()]
    return _Answered(response.status, response.headers, b"".join(chunks))


class _translated:
    """The transport's errors as the client's."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, TransportError):
            return
        if error.kind == "invalid_request":
            raise ClientError(f"{self._what}: {error}") from None
        if not error.sent:
            raise Unreachable(f"{self._what}: no connection: {error}") from None
        if error.kind == "timeout":
            raise Unreachable(f"{self._what}: the server has gone silent", sent=True) from None
        raise Unreachable(f"{self._what}: the connection broke: {error}", sent=True) from None


def _decoded(answered: _Answered, answer: Any, what: str) -> Any:
    """Raises ApiError, InvalidAnswer."""
    data = answered.content
    if answered.status >= 300:
        raise refusal(answered.status, _loose(data), what)
    if answered.is_a("text/html"):
        # What the original answers where it has no such route is its web page.
        raise InvalidAnswer(f"{what}: this server has no such route", _shown(data))
    if answer is None:
        return None
    if answer is bytes:
        return data
    if answer is str and not answered.is_a("application/json"):
        return data.decode(errors="replace")
    try:
        return _decoder(answer).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise InvalidAnswer(f"{what}: not what the API says: {e}", _shown(data)) from None


@cache
def _decoder(answer: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(answer)


def _loose(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data.decode(errors="replace")


def _shown(data: bytes) -> str:
    return data[:SHOWN].decode(errors="replace")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
