"""Retention in a server: who follows it hears of what goes as if it had been deleted by hand."""

import asyncio
import os
import time
from pathlib import Path

import msgspec
import pytest

from tests.support.model_server import text, tool
from tests.support.product import Ostler, serving, texts

DAY_MS = 86_400_000


def age(ostler: Ostler, session: str, days: float) -> None:
    """As if nothing had happened in it for so long."""
    store = ostler.runtime.store
    then = int(time.time() * 1000 - days * DAY_MS)
    found = store.sessions.get(session)
    older = msgspec.structs.replace(found.time, updated=then)
    store.sessions.save(msgspec.structs.replace(found, time=older))
    store.commit()


async def test_sessions_go_with_the_events_of_a_deletion(tmp_path: Path) -> None:
    config = {"retention": {"days": 30}}
    async with serving(tmp_path, [text("hello"), text("again")], config=config) as ostler:
        old, young = await ostler.create(), await ostler.create()
        child = await ostler.create(parentID=old)
        await ostler.prompt(old)
        await ostler.prompt(young)
        for session in (old, child):
            age(ostler, session, 31)
        events = await ostler.events()
        await ostler.runtime.clean_up()
        await events.until("session.deleted", 2)
        assert [e["info"]["id"] for e in events.of("session.deleted")] == [child, old]
        assert (await ostler.http.get(f"/session/{old}")).status_code == 404
        assert (await ostler.http.get(f"/session/{old}/message")).status_code == 404
        assert [s["id"] for s in await ostler.get("/session")] == [young]
        assert len(await ostler.messages(young)) == 2
        rows = ostler.runtime.store.db.rows("SELECT DISTINCT session FROM part")
        assert len(rows) == 1


async def test_one_at_work_and_one_that_is_shared_stay(tmp_path: Path) -> None:
    script = [tool("bash", command="while [ ! -e go ]; do sleep 0.01; done"), text("done")]
    config = {"retention": {"days": 30, "size": 1}}
    async with serving(tmp_path, script, config=config) as ostler:
        working, shared, held = [await ostler.create() for _ in range(3)]
        await ostler.post(f"/session/{shared}/share")
        await ostler.prompt_async(working)
        await ostler.model.wait_for_requests(1)
        instance = await ostler.runtime.instance()
        for session in (working, shared, held):
            age(ostler, session, 60)
        async with instance.runs.exclusively(held):
            await ostler.runtime.clean_up()
        assert {s["id"] for s in await ostler.get("/session")} == {working, shared, held}
        (ostler.root / "go").touch()
        while await ostler.get("/session/status"):
            await asyncio.sleep(0.01)
        assert texts((await ostler.messages(working))[-1]) == "done"


async def test_a_server_cleans_up_by_itself_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ostler.runtime.FIRST_SECONDS", 0)
    monkeypatch.setattr("ostler.runtime.EVERY_SECONDS", 0.01)
    failures = iter([ValueError("a mistake")])

    def clean(*_: object) -> list[str]:
        for failure in failures:
            raise failure
        return []

    monkeypatch.setattr("ostler.upkeep.caches.clean", clean)
    async with serving(tmp_path) as ostler:
        old = Path(ostler.runtime.paths.tool_output, "tool_old")
        ostler.runtime.start_housekeeping()
        for _ in range(2):
            old.touch()
            os.utime(old, (1, 1))
            while old.exists():
                await asyncio.sleep(0.01)
        assert "cleaning up failed" in caplog.text
        assert (await ostler.get("/global/health"))["healthy"]
