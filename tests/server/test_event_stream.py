"""``/event`` and ``/global/event``: one place's events or everyone's, and none lost in between."""

import asyncio
from pathlib import Path

from tests.support.model_server import text
from tests.support.product import serving
from tests.support.repository import make_repository

LOGIN = ("opencode", "secret")


async def test_a_reader_that_comes_back_misses_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        first = await ostler.events()
        await ostler.create(title="before")
        seen = await first.until("session.created")
        await first.close()
        await ostler.create(title="while away")
        second = await ostler.events("/event", **{"Last-Event-ID": seen["sse_id"]})
        missed = await second.until("session.created")
        assert missed["properties"]["info"]["title"] == "while away"
        assert second.kinds("server.gap") == []


async def test_an_id_of_long_ago_replays_what_is_stored(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        events = await ostler.events("/event", **{"Last-Event-ID": "0.before.0"})
        await events.until("server.gap")
        await events.until("message.updated", 2)
        assert [e["info"]["id"] for e in events.of("session.updated")] == [session] or events.of(
            "session.created"
        )


async def test_a_directorys_events_and_everyones(tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"x.txt": "x\n"})
    async with serving(tmp_path, [text("ok")]) as ostler:
        here = await ostler.events()
        everywhere = await ostler.http.send(
            ostler.http.build_request("GET", "/global/event"), stream=True
        )
        await ostler.http.post("/session", json={}, params={"directory": str(other)})
        mine = await ostler.create()
        await here.until("session.created")
        assert [e["sessionID"] for e in here.of("session.created")] == [mine]
        seen = ""
        async with asyncio.timeout(10):
            async for chunk in everywhere.aiter_text():
                seen += chunk
                if seen.count('"session.created"') >= 2:
                    break
        assert f'"directory":"{other}"' in seen
        assert f'"directory":"{ostler.root}"' in seen
        await everywhere.aclose()


async def test_disposing_ends_the_directorys_stream(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        assert await ostler.post("/instance/dispose") is True
        await events.until("server.instance.disposed")
        assert (await ostler.get(f"/session/{session}"))["id"] == session
