"""Long sessions: how fast their messages are read, and what a turn in one costs."""

import statistics

from bench.client import Client
from bench.fixtures import long_sessions
from bench.target import Place, Server
from bench.workloads.driven import Figures, drive

LISTED = (10, 1_000, 5_000)
LONG = 2_000
TIMES = 10


def messages(place: Place) -> Figures:
    """The messages of sessions of 10, 1,000 and 5,000; a turn in one of 2,000, and in a new one."""
    found = long_sessions(place, [*LISTED, LONG])

    async def work(client: Client, _server: Server) -> Figures:
        return {**await _read(client, found), **await _turns(client, found[LONG])}

    with Server(place) as server:
        return drive(server, work)


async def _read(client: Client, found: dict[int, str]) -> Figures:
    figures = {}
    for count in LISTED:
        path = f"/session/{found[count]}/message"
        if (listed := len(await client.call("GET", path))) != count:
            raise RuntimeError(f"{listed} messages are listed, {count} were made")
        taken = [await client.timed_fetch(path) for _ in range(TIMES)]
        figures[f"list_{count}_messages_ms"] = statistics.median(taken) * 1000
    return figures


async def _turns(client: Client, long: str) -> Figures:
    """In each by itself for some turns, then in one after the other: what is kept of a session
    between its turns may make room for another's."""
    new = await client.session()
    alone: dict[str, list[float]] = {long: [], new: []}
    for _ in range(3):
        for session, times in alone.items():
            await client.prompt(session, "hello")  # warm
            times += [await client.timed_prompt(session, "hello") for _ in range(TIMES // 2)]
    in_turn = []
    for _ in range(TIMES):
        await client.prompt(new, "hello")
        in_turn.append(await client.timed_prompt(long, "hello"))
    in_long, in_new = statistics.median(alone[long]), statistics.median(alone[new])
    return {
        "long_turn_ms": in_long * 1000,
        "long_turn_percent": (in_long / in_new - 1) * 100,
        "long_turn_after_another_ms": statistics.median(in_turn) * 1000,
    }
