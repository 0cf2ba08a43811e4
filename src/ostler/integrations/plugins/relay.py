"""HTTP between a plugin and Python: requests travel whole, bodies of answers piece by piece, each
when its reader asks for it."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ostler.integrations.plugins.plugin import Json
from ostler.integrations.plugins.rpc import Peer


class HttpCall(msgspec.Struct, frozen=True, kw_only=True):
    """``url`` is a path with its query where the call is for Ostler's own API, and absolute where
    it is for a model provider. Names of headers are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """``body`` is read once; closing it (``aclose``, where it has that) ends the exchange."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


Fetch = Callable[[HttpCall], Awaitable[HttpAnswer]]


class Bodies:
    """Bodies that the host reads."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._bodies: dict[int, AsyncIterator[bytes]] = {}
        self._reads: dict[int, asyncio.Task[bytes | None]] = {}
        self._last = 0

    async def fetch(self, params: Json) -> Json:
        answer = await self._fetch(
            HttpCall(
                method=params["method"],
                url=params["url"],
                headers=params["headers"],
                body=base64.b64decode(params["body"]),
            )
        )
        self._last += 1
        self._bodies[self._last] = answer.body
        return {"status": answer.status, "headers": dict(answer.headers), "stream": self._last}

    async def read(self, params: Json) -> Json:
        number = params["stream"]
        body = self._bodies.get(number)
        if body is None:
            return {"data": None}
        read = self._reads[number] = asyncio.ensure_future(_next(body))
        try:
            data = await read
        except BaseException:
            read.cancel()
            self._bodies.pop(number, None)
            raise
        finally:
            self._reads.pop(number, None)
        if data is None:
            await self._close(number)
            return {"data": None}
        return {"data": base64.b64encode(data).decode()}

    async def cancel(self, number: int) -> None:
        if read := self._reads.get(number):
            read.cancel()
            await asyncio.wait({read})
        await self._close(number)

    async def close(self) -> None:
        for number in list(self._bodies):
            await self.cancel(number)

    async def _close(self, number: int) -> None:
        body = self._bodies.pop(number, None)
        close = getattr(body, "aclose", None)
        if close is not None:
            with contextlib.suppress(Exception):  # nobody is left to be told
                await close()


async def _next(body: AsyncIterator[bytes]) -> bytes | None:
    async for data in body:
        if data:
            return data
    return None


async def pulled(peer: Peer, stream: int) -> AsyncIterator[bytes]:
    """A body on the host's side. Raises PluginError when it breaks off."""
    ended = False
    try:
        while True:
            answer: dict[str, Any] = await peer.call("stream.read", {"stream": stream})
            if answer["data"] is None:
                ended = True
                return
            yield base64.b64decode(answer["data"])
    finally:
        if not ended:
            peer.notify("stream.cancel", {"stream": stream})
