"""What a turn costs at a model of no latency."""

import statistics
import time

from bench.client import Client, Reader
from bench.target import Server
from bench.workloads.driven import Figures, with_server

SAID = b"Hello "
"""The model's first words; they stand in no prompt."""


@with_server
async def turns(client: Client, server: Server) -> Figures:
    """A text turn, a tool round with a real shell, and the time to the first words of an answer, as
    a subscriber sees them."""
    session = await client.session()
    for _ in range(10):
        await client.prompt(session, "hello")
    text, rounds = [], []
    for _ in range(5):
        session = await client.session()
        text += [await client.timed_prompt(session, "hello") for _ in range(20)]
        rounds += [await client.timed_prompt(session, "ROUNDS 5") for _ in range(4)]
    turn = statistics.median(text)
    first = statistics.median(await _first_words(client, server))
    return {
        "text_turn_ms": turn * 1000,
        "tool_round_ms": (statistics.median(rounds) - turn) / 5 * 1000,
        "first_words_ms": first * 1000,
    }


async def _first_words(client: Client, server: Server) -> list[float]:
    reader = await Reader.open(server.port)
    session = await client.session()
    found = []
    for _ in range(20):
        words = reader.sees(SAID)
        began = time.perf_counter()
        await client.prompt(session, "hello")
        found.append(await words - began)
    reader.close()
    return found
