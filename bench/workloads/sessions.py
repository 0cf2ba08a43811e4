"""Many sessions that nobody uses: what they hold, and how fast they are listed."""

import statistics
from itertools import pairwise

from bench.client import Client
from bench.memory import at_rest_mb
from bench.target import Server
from bench.workloads.driven import Figures, with_server

IDLE = (1, 100, 1_000)
LISTED = (10, 10_000)
TIMES = 10


@with_server
async def sessions(client: Client, server: Server) -> Figures:
    """Memory with 1, 100 and 1,000 of them; the list of all when there are 10 and 10,000."""
    figures = {}
    for made, wanted in pairwise((0, 1, 10, 100, 1_000, 10_000)):
        await client.sessions(wanted - made)
        if wanted in IDLE:
            figures[f"with_{wanted}_sessions_mb"] = at_rest_mb(server.process.pid)
        if wanted in LISTED:
            figures[f"list_{wanted}_sessions_ms"] = await _listed(client, wanted)
    return figures


async def _listed(client: Client, count: int) -> float:
    path = f"/session?limit={count}"
    if (found := len(await client.call("GET", path))) != count:
        raise RuntimeError(f"{found} sessions are listed, {count} were made")
    return statistics.median([await client.timed_fetch(path) for _ in range(TIMES)]) * 1000
