"""Configuration that changes while a server runs."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from ostler import runtime
from tests.support import mcp_server
from tests.support.model_server import STALL, Reply, text
from tests.support.product import Ostler, serving


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "RELOAD_SECONDS", 0.0)


def write(ostler: Ostler, path: str, content: str) -> None:
    file = ostler.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


async def agents(ostler: Ostler) -> list[str]:
    return [agent["name"] for agent in await ostler.get("/agent")]


async def test_a_file_that_comes_changes_and_goes(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        events = await ostler.events()
        assert "tester" not in await agents(ostler)
        write(ostler, ".opencode/agent/tester.md", "---\ndescription: d\n---\nTest.")
        assert "tester" in await agents(ostler)
        await events.until("server.instance.disposed")
        write(ostler, "opencode.json", json.dumps({"username": "someone"}))
        assert (await ostler.get("/config"))["username"] == "someone"
        (ostler.root / ".opencode/agent/tester.md").unlink()
        assert "tester" not in await agents(ostler)
        write(ostler, ".opencode/skills/s/SKILL.md", "---\nname: s\ndescription: d\n---\nx")
        assert "s" in [skill["name"] for skill in await ostler.get("/skill")]


async def test_a_mistake_leaves_what_was(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        write(ostler, "opencode.json", json.dumps({"username": "one"}))
        assert (await ostler.get("/config"))["username"] == "one"
        for broken in ("{", '{"username": 1}'):
            write(ostler, "opencode.json", broken)
            for _ in range(2):
                assert (await ostler.get("/config"))["username"] == "one"
        write(ostler, "opencode.json", json.dumps({"username": "two"}))
        assert (await ostler.get("/config"))["username"] == "two"


async def test_a_turn_that_runs_is_not_cut_short(tmp_path: Path) -> None:
    async with serving(tmp_path, [Reply([STALL]), text("x")], titles=False) as ostler:
        session = await ostler.create(title="Named")
        await ostler.prompt_async(session)
        await ostler.model.wait_for_requests(1)
        write(ostler, "opencode.json", json.dumps({"username": "later"}))
        assert (await ostler.get("/config")).get("username") != "later"
        assert session in await ostler.get("/session/status")
        await ostler.post(f"/session/{session}/abort")
        assert (await ostler.get("/config"))["username"] == "later"


async def test_many_requests_while_it_changes(tmp_path: Path) -> None:
    """Of a directory whose disposal takes its time: an MCP server has to be ended."""
    config = {"mcp": {"t": {"type": "local", "command": [sys.executable, mcp_server.__file__]}}}
    async with serving(tmp_path, config=config) as ostler:
        for number in range(2):
            assert (await ostler.get("/mcp"))["t"]["status"] == "connected"
            write(ostler, "opencode.json", json.dumps({"username": f"user {number}"}))
            paths = ["/config", "/agent", "/command", "/config/providers"] * 5
            answers = await asyncio.gather(*(ostler.http.get(path) for path in paths))
            assert {answer.status_code for answer in answers} == {200}
            assert (await ostler.get("/config"))["username"] == f"user {number}"


async def test_trust_is_taken_up(tmp_path: Path) -> None:
    from ostler.config.trust import Trust

    async with serving(tmp_path) as ostler:
        write(ostler, ".opencode/tool/mine.py", 'def mine() -> str:\n    "Mine."\n    return ""\n')
        assert "mine" not in await ostler.get("/experimental/tool/ids")
        trust = Trust(ostler.runtime.paths.state, {})
        trust.add(str(ostler.root))
        assert "mine" in await ostler.get("/experimental/tool/ids")
        trust.remove(str(ostler.root))
        assert "mine" not in await ostler.get("/experimental/tool/ids")
