"""Abort: within a second nothing of the turn is left, and the session takes a new prompt."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import model_server as model
from tests.support.model_server import STALL, Reply, text, tool
from tests.support.product import Ostler, serving, texts


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


async def aborted(ostler: Ostler, session: str) -> float:
    """Abort and return the seconds until the session was idle."""
    events = await ostler.events()
    began = time.monotonic()
    assert await ostler.post(f"/session/{session}/abort") is True
    await events.idle()
    return time.monotonic() - began


STUBBORN = """
trap '' TERM
(trap '' TERM; echo $BASHPID > child.pid; while :; do sleep 0.05; done) &
echo $$ > parent.pid
while :; do sleep 0.05; done
"""


async def test_a_command_and_all_it_started(tmp_path: Path) -> None:
    async with serving(tmp_path, [tool("bash", command=STUBBORN), text("again")]) as ostler:
        session = await ostler.create()
        await ostler.prompt_async(session)
        pids = [ostler.root / "child.pid", ostler.root / "parent.pid"]
        await eventually(lambda: all(p.exists() and p.read_text().strip() for p in pids))
        assert await aborted(ostler, session) < 1.0
        await eventually(lambda: not any(alive(p) for p in pids))
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] in ("completed", "error")
        last = (await ostler.messages(session))[-1]["info"]
        assert last["error"]["name"] == "MessageAbortedError"
        assert texts(await ostler.prompt(session)) == "again"


@pytest.mark.parametrize("position", ["before the first byte", "in the middle of the text"])
async def test_a_stream(tmp_path: Path, position: str) -> None:
    begun = model.delta({"role": "assistant", "content": "so far"})
    stalled = Reply([STALL] if position.startswith("before") else [begun, STALL])
    async with serving(tmp_path, [stalled, text("again")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        await ostler.model.wait_for_requests(1)
        if not position.startswith("before"):
            await events.until("message.part.delta")
        before = len(ostler.model.open_connections)
        assert await aborted(ostler, session) < 1.0
        await eventually(lambda: len(ostler.model.open_connections) < before)
        last = (await ostler.messages(session))[-1]
        assert last["info"]["error"]["name"] == "MessageAbortedError"
        assert last["info"]["time"]["completed"]
        assert texts(last) == ("" if position.startswith("before") else "so far")
        assert texts(await ostler.prompt(session)) == "again"


async def test_a_subagent(tmp_path: Path) -> None:
    script = [
        tool("task", description="wait", prompt="wait long", subagent_type="general"),
        tool("bash", command="echo $$ > child.pid; sleep 60"),
        text("again"),
    ]
    async with serving(tmp_path, script) as ostler:
        session = await ostler.create()
        await ostler.prompt_async(session)
        pid = ostler.root / "child.pid"
        await eventually(lambda: pid.exists() and bool(pid.read_text().strip()))
        (child,) = await ostler.get(f"/session/{session}/children")
        assert await aborted(ostler, session) < 1.0
        await eventually(lambda: not alive(pid))
        assert child["id"] not in await ostler.get("/session/status")
        last = (await ostler.messages(child["id"]))[-1]["info"]
        assert last["error"]["name"] == "MessageAbortedError"
        assert texts(await ostler.prompt(session)) == "again"


async def test_an_open_ask(tmp_path: Path) -> None:
    config = {"permission": {"bash": "ask"}}
    async with serving(tmp_path, [tool("bash", command="true")], config=config) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        await events.until("permission.asked")
        assert await aborted(ostler, session) < 1.0
        assert await ostler.get("/permission") == []


async def test_a_retry_that_waits(tmp_path: Path) -> None:
    script = [model.error(503, "busy", {"retry-after": "30"}), text("again")]
    async with serving(tmp_path, script) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        await events.until(
            lambda e: e["type"] == "session.status" and e["properties"]["status"]["type"] == "retry"
        )
        assert await aborted(ostler, session) < 1.0
        assert texts(await ostler.prompt(session)) == "again"


async def test_an_idle_session(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        session = await ostler.create()
        assert await ostler.post(f"/session/{session}/abort") is True


async def test_a_client_that_goes_away_does_not_end_the_turn(tmp_path: Path) -> None:
    script = [tool("bash", command="while [ ! -e go ]; do sleep 0.01; done"), text("finished")]
    async with serving(tmp_path, script) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        waiting = asyncio.create_task(ostler.prompt(session))
        await ostler.model.wait_for_requests(1)
        waiting.cancel()
        await asyncio.wait([waiting])
        (ostler.root / "go").touch()
        await events.idle()
        assert texts((await ostler.messages(session))[-1]) == "finished"


async def test_deleting_a_busy_session_stops_it(tmp_path: Path) -> None:
    async with serving(tmp_path, [tool("bash", command="echo $$ > pid; sleep 60")]) as ostler:
        session = await ostler.create()
        await ostler.prompt_async(session)
        pid = ostler.root / "pid"
        await eventually(lambda: pid.exists() and bool(pid.read_text().strip()))
        assert (await ostler.http.delete(f"/session/{session}")).json() is True
        await eventually(lambda: not alive(pid))
        assert (await ostler.http.get(f"/session/{session}")).status_code == 404
