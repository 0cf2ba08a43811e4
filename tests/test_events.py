"""The bus: order, bounds, and what a slow reader is told."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from ostler.events import GLOBAL, Bus, Location, parse_cursor
from ostler.schema.event import MessagePartDelta, SessionIdle


def idle(name: str) -> SessionIdle:
    return SessionIdle(sessionID=f"ses_{name}")


async def test_a_subscriber_gets_what_comes_after_it() -> None:
    bus = Bus()
    bus.publish(idle("before"))
    with bus.subscribe() as events:
        bus.publish(idle("after"))
        batch = await events.next(1)
    assert [e.properties.sessionID for e in batch.events] == ["ses_after"]  # type: ignore[attr-defined]


async def test_a_waiting_subscriber_wakes() -> None:
    bus = Bus()
    with bus.subscribe() as events:
        waiting = asyncio.create_task(events.next(5))
        await asyncio.sleep(0)
        bus.publish(idle("x"))
        assert len((await waiting).events) == 1


async def test_time_runs_out_with_an_empty_batch() -> None:
    with Bus().subscribe() as events:
        batch = await events.next(0.01)
    assert (batch.events, batch.dropped) == ([], 0)


async def test_closing_ends_the_wait() -> None:
    events = Bus().subscribe()
    waiting = asyncio.create_task(events.next())
    await asyncio.sleep(0)
    events.close()
    assert (await waiting).events == []


def test_directories_are_kept_apart() -> None:
    bus = Bus()
    with bus.subscribe("/a") as here, bus.subscribe() as everywhere:
        bus.publish(idle("a"), Location("/a"))
        bus.publish(idle("b"), Location("/b"))
        bus.publish(idle("g"), GLOBAL)
        assert len(here.take().events) == 1
        assert len(everywhere.take().events) == 3


def test_a_slow_reader_learns_how_much_it_missed() -> None:
    bus = Bus(listened=10_000)
    with bus.subscribe() as slow, bus.subscribe() as quick:
        for number in range(100):
            bus.publish(idle(str(number)))
            assert len(quick.take().events) == 1
        batch = slow.take()
        assert batch.dropped > 0
        assert batch.dropped + len(batch.events) == 100
        assert batch.events[-1].properties.sessionID == "ses_99"  # type: ignore[attr-defined]
        assert slow.take().dropped == 0


def test_the_log_is_bounded_by_bytes() -> None:
    bus = Bus(listened=100_000)
    with bus.subscribe():
        for _ in range(100):
            delta = MessagePartDelta("ses_1", "msg_1", "prt_1", "text", "x" * 10_000)
            bus.publish(delta, size=10_000)
        assert bus.end - bus.start <= 10


def test_an_event_is_encoded_once() -> None:
    bus = Bus()
    with bus.subscribe() as one, bus.subscribe() as two:
        bus.publish(idle("x"))
        first, second = one.take().events[0], two.take().events[0]
        assert first.json is second.json


def test_resuming_from_a_cursor() -> None:
    bus = Bus()
    with bus.subscribe() as events:
        for name in "abc":
            bus.publish(idle(name))
        taken = events.take().events
    cursor = parse_cursor(taken[0].cursor)
    assert cursor is not None
    with bus.subscribe(after=cursor.position) as again:
        assert [e.properties.sessionID for e in again.take().events] == ["ses_b", "ses_c"]  # type: ignore[attr-defined]


@given(st.text())
def test_a_foreign_cursor_is_no_cursor(text: str) -> None:
    cursor = parse_cursor(text)
    assert cursor is None or cursor.position is None


@given(st.lists(st.sampled_from(["publish", "take"]), max_size=60))
def test_nothing_is_lost_or_repeated_within_the_bounds(steps: list[str]) -> None:
    bus = Bus()
    published = 0
    seen: list[int] = []
    with bus.subscribe() as events:
        for step in [*steps, "take"]:
            if step == "publish":
                bus.publish(idle(str(published)))
                published += 1
            else:
                seen += [int(e.properties.sessionID[4:]) for e in events.take().events]  # type: ignore[attr-defined]
    assert seen == list(range(published))
