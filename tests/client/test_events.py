"""The event stream: what it says, and how it comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ostler.client import AsyncClient, Event, EventStream, InvalidAnswer, Unreachable
from ostler.client.events import FrameParser
from ostler.schema.event import MessagePartDelta, SessionCreated, SessionIdle
from tests.support.model_server import text
from tests.support.product import DEADLINE, Ostler, serving
from tests.support.relay import Relay
from tests.support.servers import BOTH, server_of


async def until(events: EventStream, kind: str) -> list[Event]:
    """What comes, up to an event of that type."""
    seen: list[Event] = []
    try:
        async with asyncio.timeout(DEADLINE):
            async for event in events:
                seen.append(event)
                if event.type == kind:
                    return seen
    except TimeoutError:
        pass
    raise AssertionError(f"no {kind}: {[e.type for e in seen]}")


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]


@asynccontextmanager
async def relayed(tmp_path: Path) -> AsyncIterator[tuple[Ostler, Relay, AsyncClient]]:
    async with (
        serving(tmp_path, [text("Hel", "lo")]) as ostler,
        Relay(ostler.http.base_url.port or 0) as relay,
        AsyncClient(relay.url) as client,
    ):
        yield ostler, relay, client


@pytest.mark.parametrize("kind", BOTH)
async def test_events_are_typed(tmp_path: Path, kind: str) -> None:
    async with (
        server_of(kind, tmp_path, [text("Hel", "lo")]) as server,
        AsyncClient(server.url) as client,
        client.events() as events,
    ):
        session = await client.session.create(title="t")
        created = (await until(events, "session.created"))[-1].typed
        assert isinstance(created, SessionCreated)
        assert created.info.title == "t"
        await client.session.prompt_async(session.id, parts=[{"type": "text", "text": "go"}])
        seen = await until(events, "session.idle")
        deltas = [e.typed.delta for e in seen if isinstance(e.typed, MessagePartDelta)]
        assert "".join(deltas) == "Hello"
        assert isinstance(seen[-1].typed, SessionIdle)
        assert seen[-1].properties == {"sessionID": session.id}
        assert all(e.id.startswith("evt_") for e in seen)


@pytest.mark.parametrize("kind", BOTH)
async def test_events_of_all_directories(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with (
        server_of(kind, tmp_path) as server,
        AsyncClient(server.url) as client,
        client.events(everywhere=True) as events,
    ):
        await client.session.create(directory=str(elsewhere))
        created = (await until(events, "session.created"))[-1]
        assert created.directory == str(elsewhere)
        assert isinstance(created.typed, SessionCreated)


@pytest.mark.parametrize("everywhere", [False, True])
async def test_after_a_break_nothing_is_missing(tmp_path: Path, everywhere: bool) -> None:
    async with (
        relayed(tmp_path) as (ostler, relay, client),
        client.events(everywhere=everywhere) as events,
    ):
        await ostler.create(title="before")
        await until(events, "session.created")
        relay.cut(for_good=True)
        await ostler.create(title="meanwhile")
        relay.restore()
        seen = await until(events, "session.created")
        created = seen[-1].typed
        assert isinstance(created, SessionCreated)
        assert created.info.title == "meanwhile"
        assert "server.gap" not in kinds(seen)


async def test_going_on_where_an_earlier_stream_ended(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (ostler, _, client):
        async with client.events() as events:
            await ostler.create(title="before")
            await until(events, "session.created")
        await ostler.create(title="meanwhile")
        async with client.events(last_event_id=events.cursor) as later:
            created = (await until(later, "session.created"))[-1].typed
            assert isinstance(created, SessionCreated)
            assert created.info.title == "meanwhile"


async def test_a_break_before_the_first_event_is_a_gap(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (ostler, relay, client), client.events() as events:
        relay.cut()
        seen = await until(events, "server.gap")
        assert kinds(seen) == ["server.connected", "server.connected", "server.gap"]
        assert seen[-1].is_gap
        await ostler.create()
        assert kinds(await until(events, "session.created")) == ["session.created"]


@pytest.mark.parametrize("kind", BOTH[1:])
async def test_the_original_cannot_resume_so_there_is_a_gap(tmp_path: Path, kind: str) -> None:
    async with (
        server_of(kind, tmp_path) as server,
        Relay(server.port) as relay,
        AsyncClient(relay.url) as client,
        client.events() as events,
    ):
        await client.session.create()
        await until(events, "session.created")
        relay.cut()
        assert kinds(await until(events, "server.gap"))[-2:] == ["server.connected", "server.gap"]
        await client.session.create()
        await until(events, "session.created")


async def test_a_connection_that_died_silently_is_noticed(tmp_path: Path) -> None:
    async with (
        relayed(tmp_path) as (ostler, relay, client),
        client.events(silence=0.5) as events,
    ):
        await ostler.create(title="before")
        await until(events, "session.created")
        relay.freeze()
        await ostler.create(title="meanwhile")
        relay.thaw()
        seen = await until(events, "session.created")
        assert "server.connected" in kinds(seen), "it came back"


async def test_a_server_that_stays_away_is_given_up(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (_, relay, client):
        async with client.events(patience=0.5) as events:
            await anext(events)
            relay.cut(for_good=True)
            with pytest.raises(Unreachable, match="no connection for"):
                await until(events, "session.created")
            assert relay.connections > 2, "it was tried more than once"
        with pytest.raises(Unreachable):
            async with client.events():
                pass


async def test_closing_is_prompt(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (_, _, client):
        events = client.events()
        await anext(events)
        waiting = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0)
        began = time.monotonic()
        await events.aclose()
        assert await waiting is None
        assert time.monotonic() - began < 1
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_a_reader_that_is_cancelled(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (_, _, client), client.events() as events:
        await anext(events)
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        assert waiting.cancelled()


async def test_a_disposed_directory_is_followed_on(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (ostler, _, client), client.events() as events:
        await client.instance.dispose()
        await until(events, "server.instance.disposed")
        await until(events, "server.connected")
        await ostler.create()
        await until(events, "session.created")


@pytest.mark.parametrize("cut", range(1, 40))
def test_frames_are_read_however_they_are_cut(cut: int) -> None:
    said = b'id: 1.a\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: heartbeat\n\ndata:x\n\nid: 2\n\n'
    parser = FrameParser()
    pieces = [said[i : i + cut] for i in range(0, len(said), cut)]
    frames = [frame for piece in pieces for frame in parser.feed(piece)]
    assert [(f.id, f.data) for f in frames] == [("1.a", b'{"a":\n1}'), (None, b"x")]


def test_a_frame_without_an_end() -> None:
    parser = FrameParser(limit=100)
    for _ in range(14):
        parser.feed(b"data: 3456789\n")
    with pytest.raises(InvalidAnswer, match="100 bytes"):
        parser.feed(b"data: 3456789\n")
