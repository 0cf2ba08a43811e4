"""The servers that sessions are opened on: which are well, which are busy."""

import asyncio
import time
from collections.abc import Sequence

from ostler.client import AsyncClient, Unreachable
from ostler.control.watch import Hub

REST_SECONDS = 5.0
"""How long a server that could not be reached is not asked again, where there is another."""
CAPACITY = 32
"""Attempts at a time on one server."""


class Server:
    def __init__(self, url: str, capacity: int) -> None:
        self.url = url
        self.client = AsyncClient(url)
        self.hub = Hub(self.client)
        self.places = asyncio.Semaphore(capacity)
        self.busy = 0
        self.down_until = 0.0

    def is_well(self) -> bool:
        return time.monotonic() >= self.down_until

    def fell(self) -> None:
        """It could not be reached."""
        self.down_until = time.monotonic() + REST_SECONDS

    async def close(self) -> None:
        await self.hub.close()
        await self.client.close()


class Pool:
    """By URL, made when first named. Close it when done."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._servers: dict[str, Server] = {}

    def server(self, url: str) -> Server:
        if url not in self._servers:
            self._servers[url] = Server(url, self._capacity)
        return self._servers[url]

    def ranked(self, urls: Sequence[str]) -> list[Server]:
        """Those that are well first, the least busy before others; of those that are not, the one
        that rested longest."""
        servers = [self.server(url) for url in urls]
        return sorted(servers, key=lambda s: (0.0, s.busy) if s.is_well() else (s.down_until, 0))

    async def check(self, urls: Sequence[str]) -> None:
        """Raises ClientError, named with the server, for the first that does not answer well."""
        for url in urls:
            try:
                await self.server(url).client.global_.health(deadline=10.0)
            except Unreachable as e:
                raise Unreachable(f"the server {url} cannot be reached: {e}") from None

    async def close(self) -> None:
        for server in self._servers.values():
            await server.close()
        self._servers.clear()
