"""From nothing: one ``run``, a server's first answer, its first turn."""

import os
import time

from bench.client import Client
from bench.memory import Peak, at_rest_mb
from bench.target import Place, Server, end
from bench.workloads.driven import Figures, drive


def cold_run(place: Place) -> Figures:
    """One ``run``: wall time, and the most memory it and what it started held."""
    began = time.perf_counter()
    process = place.start("run", "hello")
    try:
        with Peak(process.pid) as peak:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            wall = time.perf_counter() - began
    finally:
        end(process)
    if process.returncode != 0:
        raise RuntimeError(f"run ended with {process.returncode}")
    return {"run_seconds": wall, "run_peak_mb": peak.mb}


def start(place: Place) -> Figures:
    """From exec to the first answer of /global/health, and memory at rest after it."""
    with Server(place) as server:
        return {"health_seconds": server.seconds, "idle_mb": at_rest_mb(server.process.pid)}


def first_turn(place: Place) -> Figures:
    """From exec to the end of the first turn."""
    began = time.perf_counter()

    async def served(client: Client, _server: Server) -> Figures:
        await client.prompt(await client.session(), "hello")
        return {"first_turn_seconds": time.perf_counter() - began}

    with Server(place) as server:
        return drive(server, served)
