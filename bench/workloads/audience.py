"""Many streams before many readers, some of whom hang."""

import asyncio
import time

from bench.client import Client, Reader
from bench.memory import resident_mb
from bench.target import Server
from bench.workloads.driven import Figures, with_server


@with_server
async def audience(client: Client, server: Server) -> Figures:
    """20 sessions stream 2,000 chunks each, one in 2 ms: alone, and before 200 event readers of
    which half do not read."""
    await _stream(client)  # warm
    alone = await _stream(client)
    before = resident_mb(server.process.pid)
    readers = [await Reader.open(server.port) for _ in range(200)]
    for reader in readers[::2]:
        reader.stop_reading()
    watched = await _stream(client)
    grown = resident_mb(server.process.pid) - before
    for reader in readers:
        reader.close()
    return {"alone_seconds": alone, "watched_seconds": watched, "audience_mb": grown}


async def _stream(client: Client) -> float:
    sessions = [await client.session() for _ in range(20)]
    began = time.perf_counter()
    await asyncio.gather(*(client.prompt(s, "PACED 2000") for s in sessions))
    return time.perf_counter() - began
