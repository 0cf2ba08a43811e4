"""An answer of 2,000 chunks, written one by one as fast as the model can, and who watches it."""

import asyncio
import statistics
import time

from bench.client import Client, Reader
from bench.target import Server
from bench.workloads.driven import Figures, with_server

AUDIENCES = (0, 1, 10, 100)
TIMES = 5


@with_server
async def stream(client: Client, server: Server) -> Figures:
    """Until the prompt is answered and each reader of ``/event`` has seen the turn end."""
    session = await client.session()
    await client.prompt(session, "hello")
    figures = {}
    readers: list[Reader] = []
    for audience in AUDIENCES:
        while len(readers) < audience:
            readers.append(await Reader.open(server.port))
        await _streamed(client, readers)  # warm
        taken = [await _streamed(client, readers) for _ in range(TIMES if audience < 100 else 3)]
        figures[f"stream_{audience}_ms"] = statistics.median(taken) * 1000
    for reader in readers:
        reader.close()
    return figures


async def _streamed(client: Client, readers: list[Reader]) -> float:
    session = await client.session()
    ends = [reader.sees(b'"session.idle"') for reader in readers]
    began = time.perf_counter()
    await client.prompt(session, "STREAM 2000")
    await asyncio.gather(*ends)
    return time.perf_counter() - began
