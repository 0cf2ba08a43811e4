"""kill -9 at any moment: the next start shows whole states alone, and the session goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support import model_server as model
from tests.support.command import Place, Served
from tests.support.model_server import STALL, ModelServer, Reply, text, tool
from tests.support.product import Json, texts

GO = {"parts": [{"type": "text", "text": "go"}]}
BEGUN = [model.delta({"role": "assistant", "content": "so far"})]


async def until(served: Served, session: str, holds: Any) -> None:
    async with asyncio.timeout(15):
        while not holds(await served.get(f"/session/{session}/message")):
            await asyncio.sleep(0.01)


def tool_states(messages: list[Json]) -> list[Json]:
    return [p["state"] for m in messages for p in m["parts"] if p["type"] == "tool"]


@pytest.mark.parametrize("moment", ["tool", "stream", "before the answer"])
async def test_killed_in_the_middle(tmp_path: Path, moment: str) -> None:
    first = {
        "tool": tool("bash", command="echo begun; touch begun; sleep 60"),
        "stream": Reply([*BEGUN, 1.5, *BEGUN, STALL]),
        "before the answer": Reply([STALL], before=30.0),
    }[moment]
    place = Place(tmp_path)
    async with ModelServer([text("earlier"), first, text("well again")]) as models:
        place.configure(models.url)
        async with place.serve() as served:
            session = (await served.post("/session"))["id"]
            await served.post(f"/session/{session}/message", GO)
            await served.post(f"/session/{session}/prompt_async", GO)
            await models.wait_for_requests(2)
            if moment == "tool":
                await until(
                    served, session, lambda m: [s["status"] for s in tool_states(m)] == ["running"]
                )
            elif moment == "stream":
                await until(served, session, lambda m: "so far" in texts(m[-1]))
            await served.kill()
        async with place.serve() as served:
            messages = await served.get(f"/session/{session}/message")
            assert texts(messages[1]) == "earlier"
            last = messages[-1]["info"]
            assert last["role"] == "assistant"
            assert last["error"]["name"] == "MessageAbortedError"
            assert "nterrupted" in last["error"]["data"]["message"]
            assert last["time"]["completed"]
            if moment == "tool":
                (state,) = tool_states(messages)
                assert state["status"] == "error"
                assert "interrupted" in state["error"].lower()
                assert state["time"]["end"]
            if moment == "stream":
                assert "so far" in texts(messages[-1])
            assert await served.get("/session/status") == {}
            answer = await served.post(f"/session/{session}/message", GO)
            assert texts(answer) == "well again"
            sent = models.requests[-1]["messages"]
            called = [c["id"] for m in sent for c in m.get("tool_calls") or ()]
            assert called == [m["tool_call_id"] for m in sent if m["role"] == "tool"]


async def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Rounds of tools with a kill at a different point of each life; every state is whole."""
    place = Place(tmp_path)
    async with ModelServer(model.by_rule, titles=False) as models:
        place.configure(models.url)
        session = ""
        for life in range(4):
            async with place.serve() as served:
                session = session or (await served.post("/session"))["id"]
                prompt = {"parts": [{"type": "text", "text": "ROUNDS 400"}]}
                before = len(models.requests)
                await served.post(f"/session/{session}/prompt_async", prompt)
                await models.wait_for_requests(before + 2 + 3 * life)
                await served.kill()
        async with place.serve() as served:
            messages = await served.get(f"/session/{session}/message")
            for message in messages:
                info = message["info"]
                if info["role"] == "assistant":
                    assert info["time"]["completed"]
                    assert info.get("finish") or info.get("error")
            assert all(s["status"] in ("completed", "error") for s in tool_states(messages))
            prompts = [m for m in messages if m["info"]["role"] == "user"]
            assert len(prompts) == 4
            body = {"parts": [{"type": "text", "text": "hello"}]}
            answer = await served.post(f"/session/{session}/message", body)
            assert texts(answer) == "Hello world"


async def test_two_processes_share_a_home(tmp_path: Path) -> None:
    """A second process does not take the first one's running turn for an interrupted one."""
    place = Place(tmp_path)
    script = [tool("bash", command="while [ ! -e go ]; do sleep 0.01; done"), text("done")]
    async with ModelServer(script) as models:
        place.configure(models.url)
        async with place.serve() as first, place.serve() as second:
            session = (await first.post("/session"))["id"]
            await first.post(f"/session/{session}/prompt_async", GO)
            await models.wait_for_requests(1)
            async with place.serve() as third:
                (state,) = tool_states(await third.get(f"/session/{session}/message"))
                assert state["status"] in ("pending", "running")
            (place.root / "go").touch()
            await until(second, session, lambda m: texts(m[-1]) == "done")
