"""How many attempts may go on: on a server, with a provider, for a tenant."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ostler.control.plane import database_url
from ostler.control.quotas import Full, Quota, Quotas, Scope, quota
from ostler.control.store import Attempt, ControlStore, Run
from tests.support.flows import Flows, stage, working
from tests.support.model_server import Reply, delta, text
from tests.support.postgres import REQUIRED, postgres, programs

SIDE_BY_SIDE = {"a": stage(model="test/m1"), "b": stage(model="test/m1")}


def held(until: asyncio.Event) -> Reply:
    return Reply([until, delta({"content": "done"}), delta({}, "stop"), b"data: [DONE]\n\n"])


async def queued(flows: Flows, run: Run) -> Attempt:
    """The attempt that waits for a place."""
    async with asyncio.timeout(20):
        while True:
            for attempt in flows.attempts(run):
                if attempt.status == "queued":
                    return attempt
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("key", ["server:{url}", "provider:test", "provider:*", "tenant:default"])
async def test_one_at_a_time(tmp_path: Path, key: str) -> None:
    go_on = asyncio.Event()
    async with working(tmp_path, [held(go_on), text("done")]) as (flows, ostler):
        mine = key.format(url=flows.url)
        Quotas(flows.plane.store).set(Quota(mine, concurrency=1))
        run = await flows.start(stages=SIDE_BY_SIDE)
        waiting = await queued(flows, run)
        assert waiting.held_by == f"{mine}: 1 at a time"
        await ostler.model.wait_for_requests(1)
        assert (waiting.session, len(ostler.model.requests)) == ("", 1)
        go_on.set()
        assert (await flows.over(run)).status == "passed"
        assert flows.kinds(run) == ["passed", "passed"]
        assert [a.held_by for a in flows.attempts(run)] == [None, None]


async def test_of_others_no_account_is_taken(tmp_path: Path) -> None:
    both = asyncio.Event()
    async with working(tmp_path, [held(both)]) as (flows, ostler):
        for key in ("tenant:other", "provider:else", "server:http://127.0.0.1:1"):
            Quotas(flows.plane.store).set(Quota(key, concurrency=1))
        run = await flows.start(stages=SIDE_BY_SIDE)
        await ostler.model.wait_for_requests(2)
        both.set()
        assert (await flows.over(run)).status == "passed"


async def test_who_waits_is_let_go_when_the_run_is_cancelled(tmp_path: Path) -> None:
    from ostler.control.plane import end_run

    async with working(tmp_path, [text("done")]) as (flows, ostler):
        known = Quotas(flows.plane.store)
        known.set(Quota("tenant:default", concurrency=1))
        assert known.take("somebody", {"tenant": "default"}, 60.0) is True
        run = await flows.start(stages={"a": stage()})
        await queued(flows, run)
        await end_run(flows.plane.store, flows.plane.context.pool, run, "cancelled")
        assert (await flows.over(run)).status == "cancelled"
        assert ostler.model.requests == []
        assert [a.held_by for a in flows.attempts(run)] == [None]


async def test_a_rate_spreads_beginnings(tmp_path: Path) -> None:
    async with working(tmp_path, [text("done")]) as (flows, _):
        Quotas(flows.plane.store).set(Quota("tenant:*", rate=1, per=1.2))
        run = await flows.run(stages=SIDE_BY_SIDE)
        assert run.status == "passed"
        first, second = flows.attempts(run)
        assert second.started - first.started >= 1.1


@asynccontextmanager
async def stores(tmp_path: Path, kind: str) -> AsyncIterator[ControlStore]:
    if kind == "file":
        store = ControlStore(database_url(str(tmp_path), None))
        yield store
        store.close()
        return
    if not (programs() or REQUIRED):
        pytest.skip("PostgreSQL is not here")
    async with postgres() as url:
        store = ControlStore(database_url("", url))
        yield store
        store.close()


@pytest.mark.parametrize("kind", ["file", "PostgreSQL"])
async def test_no_more_than_that_get_a_place_however_many_ask_at_once(
    tmp_path: Path, kind: str
) -> None:
    async with stores(tmp_path, kind) as store:
        known = Quotas(store)
        known.set(Quota("tenant:*", concurrency=3))
        known.set(Quota("provider:p", concurrency=5))
        wanted: dict[Scope, str] = {"tenant": "t", "provider": "p"}

        def ask(number: int) -> Full | bool:
            return known.take(f"holder-{number}", wanted, 60.0)

        def ask_all() -> list[int]:
            with ThreadPoolExecutor(8) as threads:
                return [n for n, got in enumerate(threads.map(ask, range(24))) if got is True]

        first = await asyncio.to_thread(ask_all)
        assert len(first) == 3
        assert await asyncio.to_thread(ask_all) == first  # who has one keeps it
        known.give_back(f"holder-{first[0]}")
        assert ask(first[0]) is True
        known.give_back(f"holder-{first[0]}")
        assert isinstance(ask(99), bool)
        assert isinstance(ask(first[0]), Full)
        assert known.take("x", {"tenant": "other", "provider": "p"}, 60.0) is True
        assert known.remove("tenant:*")
        assert not known.remove("tenant:*")


def test_a_place_nobody_gives_back_is_free_in_the_end(tmp_path: Path) -> None:
    known = Quotas(ControlStore(database_url(str(tmp_path), None)))
    known.set(Quota("tenant:t", concurrency=1))
    assert known.take("dead", {"tenant": "t"}, -1.0) is True
    assert known.take("next", {"tenant": "t"}, 60.0) is True


@pytest.mark.parametrize(
    ("key", "numbers", "said"),
    [
        ("model:x", (1, None, 60), "expected server:NAME, provider:NAME, tenant:NAME"),
        ("tenant:", (1, None, 60), "expected server:NAME"),
        ("tenant:x", (None, None, 60), "a concurrency, a rate, or both"),
        ("tenant:x", (0, None, 60), "concurrency must be more than 0, not 0"),
        ("tenant:x", (None, 1, -5), "per must be more than 0, not -5"),
    ],
)
def test_a_quota_that_is_none(
    key: str, numbers: tuple[int | None, int | None, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        quota(key, *numbers)
