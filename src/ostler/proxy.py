"""Which way HTTP goes: direct, or through the proxy the environment names, by httpx, which knows
their kinds. httpx is imported when there is a proxy: it costs more than everything else here."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ostler.transport import DirectTransport, HttpRequest, Transport, TransportError

if TYPE_CHECKING:
    import httpx


def choose(url: str, environment: Mapping[str, str] | None = None) -> Transport:
    """The transport for a server: direct, unless the environment names a proxy for it."""
    proxy = proxy_for(url, os.environ if environment is None else environment)
    if proxy is None:
        return DirectTransport()
    return ProxyTransport(proxy)


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, unless NO_PROXY or loopback exempts."""
    target = urlsplit(url)
    host = target.hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1":
        return None
    proxy = None
    for name in (f"{target.scheme}_proxy", "all_proxy"):
        proxy = proxy or environment.get(name) or environment.get(name.upper())
    if not proxy:
        return None
    exempt = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    for entry in (e.strip().lstrip(".").lower() for e in exempt.split(",")):
        if entry == "*" or (entry and (host == entry or host.endswith("." + entry))):
            return None
    return proxy


class ProxyTransport:
    """Sends everything through ``proxy`` (http, https or socks URL)."""

    def __init__(self, proxy: str) -> None:
        import httpx

        self._client = httpx.AsyncClient(proxy=proxy, timeout=None, follow_redirects=False)

    async def send(self, request: HttpRequest) -> "ProxyResponse":
        import httpx

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
        except (TimeoutError, httpx.TimeoutException) as e:
            raise TransportError(
                "timeout",
                f"Provider response headers timed out after {(timeouts.header or 0) * 1000:.0f}ms",
                request.url,
                sent=not isinstance(e, httpx.ConnectTimeout),
            ) from None
        except httpx.HTTPError as e:
            reached = not isinstance(e, httpx.ConnectError | httpx.ProxyError)
            raise TransportError(
                "unavailable", f"through the proxy: {e}", request.url, sent=reached
            ) from None

    async def close(self) -> None:
        await self._client.aclose()


class ProxyResponse:
    def __init__(self, response: "httpx.Response", request: HttpRequest) -> None:
        self._response, self._request = response, request
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        import httpx

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
