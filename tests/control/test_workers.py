"""Several workers on PostgreSQL, one of which dies."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from ostler.control.plan import Plan
from ostler.control.plane import DEAD_SECONDS, database_url
from ostler.control.store import ControlError, ControlStore
from tests.control.test_durability import slow
from tests.support.flows import flowing, stage
from tests.support.postgres import REQUIRED, postgres, programs
from tests.support.product import serving

ROOT = Path(__file__).parents[2]
RUNS = 9
pytestmark = pytest.mark.skipif(not (programs() or REQUIRED), reason="PostgreSQL is not here")


@asynccontextmanager
async def worker(home: Path, database: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ostler", "flow", "worker"),
        *("--database", database, "--concurrency", "3"),
        env={**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT / "src")},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert b"takes up to 3 runs" in await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 30)


async def test_the_runs_of_a_worker_that_dies_are_taken_over(tmp_path: Path) -> None:
    plan = {"a": stage("Say stage-a"), "b": stage("Say stage-b", needs=["a"])}
    async with (
        postgres() as database,
        serving(tmp_path, [slow("done")], titles=False) as ostler,
        flowing(tmp_path, str(ostler.root), str(ostler.http.base_url), database) as flows,
        worker(tmp_path / "one", database) as doomed,
        worker(tmp_path / "two", database),
        worker(tmp_path / "three", database),
    ):
        runs = []
        for number in range(RUNS):
            run = await flows.add(inputs={"n": number}, stages=plan)
            await flows.plane.start(run, queued=True)
            runs.append(run)
        await ostler.model.wait_for_requests(3)
        doomed.send_signal(signal.SIGKILL)
        for run in runs:
            assert (await flows.over(run)).status == "passed"
            assert [(a.stage, a.number) for a in flows.attempts(run)] == [("a", 1), ("b", 1)]
        prompts = Counter(r["messages"][-1]["content"] for r in ostler.model.requests)
        assert sum(prompts.values()) == 2 * RUNS  # none was sent twice


async def test_a_schedule_begins_runs_by_the_clock(tmp_path: Path) -> None:
    plan = {"a": stage("Say stage-a")}
    async with (
        postgres() as database,
        serving(tmp_path, [slow("done")], titles=False) as ostler,
        flowing(tmp_path, str(ostler.root), str(ostler.http.base_url), database) as flows,
        worker(tmp_path / "one", database),
    ):
        like = flows.plane.like(
            msgspec.convert({"name": "clock", "stages": plan}, Plan),
            {},
            flows.directory,
            [flows.url],
            False,
        )
        with pytest.raises(ControlError, match="now and then"):
            await flows.plane.schedule("bad", "now and then", like, None)
        await flows.plane.schedule("tick", "* * * * * *", like, None)
        assert [s["name"] for s in await flows.plane.schedules()] == ["tick"]
        async with asyncio.timeout(60):
            while not any(r.status == "passed" for r in flows.plane.store.runs()):
                await asyncio.sleep(0.05)
        await flows.plane.unschedule("tick")
        assert await flows.plane.schedules() == []
        with pytest.raises(ControlError, match="no schedule tick"):
            await flows.plane.unschedule("tick")


def test_a_worker_of_another_machine_is_missed(tmp_path: Path) -> None:
    store = ControlStore(database_url(str(tmp_path), None))
    store.beat("here", {"id": "here"})
    store.beat("there", {"id": "there"})
    assert store.bury(DEAD_SECONDS) == []
    before = time.time
    try:
        time.time = lambda: before() + DEAD_SECONDS + 1
        store.beat("here", {"id": "here"})
        assert store.bury(DEAD_SECONDS) == ["there"]
        assert store.bury(DEAD_SECONDS) == []  # one of several who ask gets it
    finally:
        time.time = before
    store.close()
