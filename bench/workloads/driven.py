"""A workload that drives one server from its start to its end."""

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from bench.client import Client
from bench.target import Place, Server

LIMIT_SECONDS = 900.0

Figures = dict[str, float]
Work = Callable[[Client, Server], Awaitable[Figures]]


def with_server(work: Work) -> Callable[[Place], Figures]:
    def measure(place: Place) -> Figures:
        with Server(place) as server:
            return drive(server, work)

    measure.__doc__ = work.__doc__
    return measure


def drive(server: Server, work: Work) -> Figures:
    """Raises TimeoutError when it takes far longer than either program needs."""

    async def driven() -> Figures:
        client = Client(server.url)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                return await work(client, server)
        finally:
            await client.close()

    # uvloop, so that of two cores the client takes as little as it can
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(driven())
