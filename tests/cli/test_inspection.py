"""``ostler debug``, ``agent`` and ``mcp``: what there is, where it comes from, and how it fares."""

import asyncio
import json
import sys
from pathlib import Path

import httpx

from tests.server.test_mcp import remote
from tests.support import mcp_server
from tests.support.command import Place, free_port

PROGRAM = [sys.executable, mcp_server.__file__]


async def test_where_each_value_comes_from(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.configure("http://127.0.0.1:9", {"username": "someone"})
    (place.root / "opencode.jsonc").write_text(
        '{\n  // the project\'s own\n  "model": "test/other",\n  "unheard": 1\n}\n'
    )
    agents = place.root / ".opencode/agent"
    agents.mkdir(parents=True)
    (agents / "tester.md").write_text("---\ndescription: Tests.\nmode: subagent\n---\nTest it.\n")
    whole = await place.ostler("debug", "config")
    merged = json.loads(whole.out)
    assert merged["model"] == "test/other"
    assert merged["agent"]["tester"]["prompt"] == "Test it."
    assert merged["provider"]["test"]["options"]["apiKey"] == "***"
    assert "test-key" not in whole.out
    lines = (await place.ostler("debug", "config", "--sources")).out.splitlines()
    by_name = {line.partition(" = ")[0]: line for line in lines}
    assert by_name["model"].endswith(f'"test/other"  ({place.root}/opencode.jsonc:3)')
    assert ".config/opencode/opencode.json:1)" in by_name["username"]
    assert by_name["agent.tester.mode"].endswith(f"({place.root}/.opencode)")
    assert any(line.startswith("warning: ") and "unheard" in line for line in lines)


async def test_agents_and_skills(tmp_path: Path) -> None:
    place = Place(tmp_path)
    skill = place.root / ".opencode/skills/careful"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text("---\nname: careful\ndescription: Be careful.\n---\nSlowly.\n")
    listed = (await place.ostler("agent", "list")).out
    assert "build (primary)\n  [\n" in listed
    assert "explore (subagent)" in listed
    explore = json.loads((await place.ostler("debug", "agent", "explore")).out)
    assert explore["tools"]["grep"] is True
    assert explore["tools"]["edit"] is False
    unknown = await place.ostler("debug", "agent", "nobody")
    assert (unknown.code, "Available agents: build" in unknown.err) == (2, True)
    (found,) = (
        s for s in json.loads((await place.ostler("debug", "skill")).out) if s["name"] == "careful"
    )
    assert found["location"] == str(skill / "SKILL.md")
    shown = (await place.ostler("debug", "paths")).out
    assert f"config     {place.home}/.config/opencode" in shown
    assert "ostler version: " in (await place.ostler("debug", "info")).out


async def test_mcp_servers(tmp_path: Path) -> None:
    place = Place(tmp_path)
    added = await place.ostler("mcp", "add", "mine", "--env", "A=b", "--", *PROGRAM)
    assert added.code == 0, added.err
    path = place.home / ".config/opencode/opencode.json"
    assert json.loads(path.read_text())["mcp"]["mine"] == {
        "type": "local",
        "command": PROGRAM,
        "environment": {"A": "b"},
    }
    await place.ostler("mcp", "add", "--url", "http://127.0.0.1:9/mcp", "far")
    listed = (await place.ostler("mcp", "list")).out
    assert "✓ mine connected" in listed
    assert "✗ far failed" in listed
    assert "2 server(s)" in listed
    offered = await place.ostler("mcp", "debug", "mine")
    assert "tool    echo" in offered.out, offered.out + offered.err
    far = await place.ostler("mcp", "debug", "far")
    assert (far.code, far.err.startswith("Error: far: ")) == (1, True)
    for arguments, said in (
        (["debug", "nobody"], "Configured: far, mine"),
        (["add", "both", "--url", "http://x", "--", "y"], "either"),
        (["add", "none"], "either"),
        (["add", "bad", "--env", "A", "--", "x", "--flag"], "NAME=VALUE"),
    ):
        refused = await place.ostler("mcp", *arguments)
        assert (refused.code, said in refused.err) == (2, True), refused.err


async def test_signing_in_to_an_mcp_server(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with remote(tmp_path, "oauth") as url:
        entry = {"type": "remote", "url": f"{url}/mcp", "oauth": {"callbackPort": free_port()}}
        place.configure("http://127.0.0.1:9", {"mcp": {"far": entry}})
        assert "⚠ far needs authentication" in (await place.ostler("mcp", "auth", "list")).out
        process = await place.start("mcp", "auth", "far", variables={"BROWSER": "/nowhere"})
        assert process.stdout is not None
        async with asyncio.timeout(30):
            address = (await process.stdout.readline()).decode().removeprefix("Go to: ").strip()
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as browser:
                await browser.get(address)
            out, err = await process.communicate()
        assert (process.returncode, out) == (0, b"Signed in to far\n"), err
        assert "✓ far connected" in (await place.ostler("mcp", "list")).out
        assert (await place.ostler("mcp", "logout", "far")).out == "Logged out from far\n"
        assert "⚠ far needs authentication" in (await place.ostler("mcp", "list")).out
