"""HTTP through a proxy: httpx, which knows their kinds."""

import asyncio
from collections.abc import AsyncIterator

import httpx

from ostler.transport import HttpRequest, TransportError


class ProxyTransport:
    """Sends everything through ``proxy`` (http, https or socks URL)."""

    def __init__(self, proxy: str) -> None:
        self._client = httpx.AsyncClient(proxy=proxy, timeout=None, follow_redirects=False)

    async def send(self, request: HttpRequest) -> "ProxyResponse":
        timeouts = request.timeouts
        outgoing = self._client.build_request(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.body,
            timeout=httpx.Timeout(None, connect=timeouts.connect),
        )
        try:
            async with asyncio.timeout(timeouts.header):
                return ProxyResponse(await self._client.send(outgoing, stream=True), request)
        except (TimeoutError, httpx.TimeoutException):
            raise TransportError(
                "timeout",
                f"Provider response headers timed out after {(timeouts.header or 0) * 1000:.0f}ms",
                request.url,
            ) from None
        except httpx.HTTPError as e:
            raise TransportError("unavailable", f"through the proxy: {e}", request.url) from None

    async def close(self) -> None:
        await self._client.aclose()


class ProxyResponse:
    def __init__(self, response: httpx.Response, request: HttpRequest) -> None:
        self._response, self._request = response, request
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        limit = self._request.timeouts.chunk
        body = self._response.aiter_bytes()
        while True:
            try:
                async with asyncio.timeout(limit):
                    chunk = await anext(body, None)
            except TimeoutError:
                raise TransportError(
                    "timeout",
                    f"SSE read timed out: no bytes for {limit or 0:.0f} s",
                    self._request.url,
                ) from None
            except httpx.HTTPError as e:
                raise TransportError(
                    "unavailable", f"the connection broke: {e}", self._request.url
                ) from None
            if chunk is None:
                return
            yield chunk

    async def close(self) -> None:
        await self._response.aclose()
