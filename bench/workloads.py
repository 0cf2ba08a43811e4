"""What is measured, one function a figure. Times are seconds unless a name says otherwise."""

import asyncio
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.target import Place, Server
from ostler.transport import DirectTransport, HttpRequest, Timeouts, read_body

_PATIENT = Timeouts(header=300.0, chunk=300.0)


class Client:
    """Just enough of a client to drive either program."""

    def __init__(self, server: Server) -> None:
        self._url = server.url
        self._transport = DirectTransport()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        response = await self._transport.send(
            HttpRequest(self._url + path, headers, data, method, _PATIENT)
        )
        answer = await read_body(response, 2**28)
        await response.close()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        return json.loads(answer) if answer else None

    async def session(self) -> str:
        """A session with a title of its own, so that none is generated."""
        return str((await self.call("POST", "/session", {"title": "bench"}))["id"])

    async def prompt(self, session_id: str, said: str) -> Any:
        body = {"parts": [{"type": "text", "text": said}]}
        answer = await self.call("POST", f"/session/{session_id}/message", body)
        if answer["info"].get("error"):
            raise RuntimeError(f"the turn failed: {answer['info']['error']}")
        return answer

    async def timed_prompt(self, session_id: str, said: str) -> float:
        began = time.perf_counter()
        await self.prompt(session_id, said)
        return time.perf_counter() - began

    async def close(self) -> None:
        await self._transport.close()


def cold_run(place: Place) -> dict[str, float]:
    """One ``run``: wall time and peak memory of the process."""
    began = time.perf_counter()
    process = place.start("run", "hello")
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"run ended with {process.returncode}")
    return {"run_seconds": wall, "run_peak_mb": usage.ru_maxrss / 1024}


def start(place: Place) -> dict[str, float]:
    """From exec to the first answer of /global/health, and memory at rest after it."""
    with Server(place) as server:
        time.sleep(2.0)
        return {"health_seconds": server.seconds, "idle_mb": server.memory_mb()}


def _with_server(
    work: Callable[[Client, Server], Awaitable[dict[str, float]]],
) -> Callable[[Place], dict[str, float]]:
    def measure(place: Place) -> dict[str, float]:
        async def drive(server: Server) -> dict[str, float]:
            client = Client(server)
            try:
                return await work(client, server)
            finally:
                await client.close()

        with Server(place) as server:
            return asyncio.run(drive(server))

    measure.__doc__ = work.__doc__
    return measure


@_with_server
async def turns(client: Client, server: Server) -> dict[str, float]:
    """Overhead of a text turn and of a tool round with a real shell, at a model of no latency."""
    session = await client.session()
    for _ in range(10):
        await client.prompt(session, "hello")
    first_mb = server.memory_mb()
    text, rounds = [], []
    for _ in range(5):
        session = await client.session()
        text += [await client.timed_prompt(session, "hello") for _ in range(20)]
        rounds += [await client.timed_prompt(session, "ROUNDS 5") for _ in range(4)]
    turn = statistics.median(text)
    return {
        "text_turn_ms": turn * 1000,
        "tool_round_ms": (statistics.median(rounds) - turn) / 5 * 1000,
        "first_prompt_mb": first_mb,
    }


@_with_server
async def crowd(client: Client, server: Server) -> dict[str, float]:
    """50 sessions at once, 6 model calls each."""
    sessions = [await client.session() for _ in range(50)]
    await client.prompt(sessions[0], "hello")
    began = time.perf_counter()
    await asyncio.gather(*(client.prompt(s, "ROUNDS 5") for s in sessions))
    return {"crowd_calls_per_second": 300 / (time.perf_counter() - began)}


def growth(place: Place) -> dict[str, float]:
    """Memory and database after 1,000 turns, in ten sessions."""

    @_with_server
    async def work(client: Client, server: Server) -> dict[str, float]:
        async def some(count: int) -> None:
            for _ in range(10):
                session = await client.session()
                for _ in range(count // 10):
                    await client.prompt(session, "hello")

        await some(100)
        before, stored = server.memory_mb(), place.data_bytes()
        await some(1_000)
        return {
            "after_1000_turns_mb": server.memory_mb(),
            "growth_mb": server.memory_mb() - before,
            "db_kb_per_100_turns": (place.data_bytes() - stored) / 10 / 1024,
        }

    return work(place)


@_with_server
async def audience(client: Client, server: Server) -> dict[str, float]:
    """20 sessions stream 2,000 chunks each, one in 2 ms: alone, and before 200 event readers of
    which half do not read."""
    await _stream(client)  # warm
    alone = await _stream(client)
    before = server.memory_mb()
    readers = [await _reader(server, reads=number % 2 == 0) for number in range(200)]
    watched = await _stream(client)
    grown = server.memory_mb() - before
    for reader in readers:
        reader.close()
    return {"stream_seconds": alone, "watched_seconds": watched, "audience_mb": grown}


async def _stream(client: Client) -> float:
    sessions = [await client.session() for _ in range(20)]
    began = time.perf_counter()
    await asyncio.gather(*(client.prompt(s, "PACED 2000") for s in sessions))
    return time.perf_counter() - began


async def _reader(server: Server, reads: bool) -> asyncio.WriteTransport:
    """A connection to /event; one that does not read lets its socket fill up."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", server.port)
    transport.write(b"GET /event HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    if not reads:
        transport.pause_reading()
    return transport


WORKLOADS: dict[str, Callable[[Place], dict[str, float]]] = {
    "run": cold_run,
    "start": start,
    "turns": turns,
    "crowd": crowd,
    "growth": growth,
    "audience": audience,
}
