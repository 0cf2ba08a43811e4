"""Killed in the middle of a turn."""

import os
import signal
import time
from typing import Any

from bench.client import Client, Reader
from bench.target import Place, Server
from bench.workloads.driven import Figures, drive

TURNS = 10


def recovery(place: Place) -> Figures:
    """kill -9 while an answer streams: from the next start to health and to a turn in the same
    session, and how many messages of the turns that had ended are lost."""
    session = ""

    async def until_the_middle(client: Client, server: Server) -> Figures:
        nonlocal session
        session = await client.session()
        for _ in range(TURNS):
            await client.prompt(session, "hello")
        reader = await Reader.open(server.port)
        words = reader.sees(b"twenty characters")
        await client.prompt_async(session, "PACED 2000")
        await words
        os.killpg(server.process.pid, signal.SIGKILL)
        reader.close()
        return {}

    with Server(place) as server:
        drive(server, until_the_middle)
    began = time.perf_counter()

    async def next_turn(client: Client, server: Server) -> Figures:
        await client.prompt(session, "hello")
        ready = time.perf_counter() - began
        lost = 2 * TURNS - _whole(await client.messages(session))
        return {
            "recovered_health_seconds": server.seconds,
            "recovered_turn_seconds": ready,
            "lost_messages": lost,
        }

    with Server(place) as server:
        return drive(server, next_turn)


def _whole(messages: list[Any]) -> int:
    """How many of the first turns' messages are there with their text."""
    said = ["".join(p.get("text", "") for p in m["parts"]) for m in messages[: 2 * TURNS]]
    return sum(1 for n, text in enumerate(said) if text == ("hello", "Hello world")[n % 2])
