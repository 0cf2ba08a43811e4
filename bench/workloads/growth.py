"""What stays of a thousand turns: in memory, and on disk."""

from bench.client import Client
from bench.memory import at_rest_mb
from bench.target import Place, Server
from bench.workloads.driven import Figures, with_server

TURNS = 1_000
SESSIONS = 10
FIRST = 100
"""Turns before the first measurement: what is loaded once is loaded then."""


def growth(place: Place) -> Figures:
    @with_server
    async def grow(client: Client, server: Server) -> Figures:
        await _turns(client, FIRST)
        before, stored = at_rest_mb(server.process.pid), place.data_bytes()
        await _turns(client, TURNS)
        after = at_rest_mb(server.process.pid)
        return {
            "after_1000_turns_mb": after,
            "growth_percent": (after / before - 1) * 100,
            "db_mb_per_100_turns": (place.data_bytes() - stored) / TURNS * 100 / 1e6,
        }

    return grow(place)


async def _turns(client: Client, count: int) -> None:
    for _ in range(SESSIONS):
        session = await client.session()
        for _ in range(count // SESSIONS):
            await client.prompt(session, "hello")
