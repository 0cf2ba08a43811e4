"""Many sessions at once."""

import asyncio
import time

from bench.client import Client
from bench.target import Server
from bench.workloads.driven import Figures, with_server


@with_server
async def crowd(client: Client, _server: Server) -> Figures:
    """20 and 50 sessions at once, 6 model calls each."""
    await client.prompt(await client.session(), "hello")
    return {
        f"crowd_{count}_per_second": await _calls_per_second(client, count, 5) for count in (20, 50)
    }


@with_server
async def throng(client: Client, _server: Server) -> Figures:
    """200 sessions at once, 3 model calls each."""
    await client.prompt(await client.session(), "hello")
    return {"crowd_200_per_second": await _calls_per_second(client, 200, 2)}


async def _calls_per_second(client: Client, count: int, rounds: int) -> float:
    sessions = [await client.session() for _ in range(count)]
    began = time.perf_counter()
    await asyncio.gather(*(client.prompt(s, f"ROUNDS {rounds}") for s in sessions))
    return count * (rounds + 1) / (time.perf_counter() - began)
