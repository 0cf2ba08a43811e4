"""One server over HTTP, by httpx, which is imported with the first call: it takes as long to import
as everything else here."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from ostler.client.address import Address, checked
from ostler.client.errors import (
    ClientError,
    DeadlineExceeded,
    InvalidAnswer,
    Unreachable,
    refusal,
)

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 10.0
SHOWN = 2000
"""Characters of an answer that an error keeps."""


class Connection:
    """Makes calls. ``directory`` (and ``workspace``) say what they are about where a call does not
    say it; ``deadline`` is how many seconds one may take. Used by one event loop at a time."""

    def __init__(
        self, address: Address, directory: str | None, workspace: str | None, deadline: float
    ) -> None:
        self.address, self.directory, self.workspace = address, directory, workspace
        self.deadline = checked(deadline)
        self._http: httpx.AsyncClient | None = None
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
                response = await self._send(method, url, query, body, directory, what)
        except TimeoutError:
            raise DeadlineExceeded(f"{what}: no answer within {seconds:g} s", seconds) from None
        return _decoded(response, answer, what)

    def route(self, template: str, path: Mapping[str, str] | None = None) -> str:
        """The path of a route, its names filled in. Raises ValueError for an empty one."""
        for name, value in (path or {}).items():
            if not value:
                raise ValueError(f"{name} is empty")
            safe = "/" if name == "path" else ""
            template = template.replace("{" + name + "}", quote(value, safe=safe))
        return template

    async def _send(
        self,
        method: str,
        url: str,
        query: Mapping[str, Any] | None,
        body: Any,
        directory: str | None,
        what: str,
    ) -> "httpx.Response":
        headers = self.headers(directory)
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = msgspec.json.encode(_given(body) if isinstance(body, dict) else body)
        with _translated(what):
            return await self.http().request(
                method, url, params=self.query(query), content=content, headers=headers
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
        import httpx

        headers = {**self.headers(directory), "accept": "text/event-stream", **more}
        patience = httpx.Timeout(silence, connect=CONNECT_SECONDS)
        what = f"GET {path}"
        with _translated(what):
            async with self.http().stream(
                "GET",
                self.address.url + path,
                params=self.query(query),
                headers=headers,
                timeout=patience,
            ) as response:
                if response.status_code >= 300 or not _is(response, "text/event-stream"):
                    await response.aread()
                    _decoded(response, Any, what)
                    raise InvalidAnswer(f"{what}: the answer is no event stream", response.text)
                yield response.aiter_bytes()

    def http(self) -> "httpx.AsyncClient":
        import httpx

        loop = asyncio.get_running_loop()
        if self._http is None or self._loop is not loop:
            self._loop = loop
            self._http = httpx.AsyncClient(
                # Proxies, certificates: as the environment says, but never for this machine.
                trust_env=not self.address.is_loopback,
                timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
                follow_redirects=False,
            )
        return self._http

    async def close(self) -> None:
        http, self._http = self._http, None
        if http is not None and self._loop is asyncio.get_running_loop():
            await http.aclose()


class _translated:
    """httpx's errors as the client's."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        import httpx

        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            raise Unreachable(f"{self._what}: no connection: {_said(error)}") from None
        if isinstance(error, httpx.ReadTimeout):
            raise Unreachable(f"{self._what}: the server has gone silent", sent=True) from None
        if isinstance(error, httpx.TransportError):
            raise Unreachable(
                f"{self._what}: the connection broke: {_said(error)}", sent=True
            ) from None
        if isinstance(error, httpx.HTTPError):
            raise ClientError(f"{self._what}: {_said(error)}") from None


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is(response: "httpx.Response", media: str) -> bool:
    return bool(response.headers.get("content-type", "").startswith(media))


def _decoded(response: "httpx.Response", answer: Any, what: str) -> Any:
    """Raises ApiError, InvalidAnswer."""
    data = response.content
    if response.status_code >= 300:
        raise refusal(response.status_code, _loose(data), what)
    if _is(response, "text/html"):
        # What the original answers where it has no such route is its web page.
        raise InvalidAnswer(f"{what}: this server has no such route", _shown(data))
    if answer is None:
        return None
    if answer is bytes:
        return data
    if answer is str and not _is(response, "application/json"):
        return response.text
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
