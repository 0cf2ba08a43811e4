"""MCP servers that others made, from npm."""

import asyncio
import os
import shutil
from pathlib import Path

from tests.clients.test_clients import MODULES, needs
from tests.support.command import free_port, kill
from tests.support.model_server import text, tool
from tests.support.product import DEADLINE, serving, texts

PROTOCOL = MODULES / "@modelcontextprotocol"
EVERYTHING = str(PROTOCOL / "server-everything/dist/index.js")
FILES = str(PROTOCOL / "server-filesystem/dist/index.js")
pytestmark = needs(shutil.which("node"), PROTOCOL.exists())


async def test_the_reference_server(tmp_path: Path) -> None:
    script = [
        tool("all_get-sum", a=19, b=23),
        tool("all_get-tiny-image"),
        tool("all_get-structured-content", location="Chicago"),
        tool("all_trigger-long-running-operation", duration=0.2, steps=2),
        tool("all_get-roots-list"),
        text("done"),
    ]
    entry = {"type": "local", "command": ["node", EVERYTHING]}
    async with serving(tmp_path, script, config={"mcp": {"all": entry}}) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session)) == "done"
        added, image, weather, waited, roots = (
            part["state"] for part in await ostler.parts(session, "tool")
        )
        assert "42" in added["output"]
        assert image["attachments"][0]["mime"] == "image/png"
        assert "temperature" in weather["output"]
        assert waited["status"] == "completed"
        assert str(ostler.root) in roots["output"]
        listed = await ostler.get("/experimental/resource")
        assert any(key.startswith("all:demo://resource/static/") for key in listed)
        commands = {c["name"]: c for c in await ostler.get("/command")}
        assert commands["all:args-prompt"]["hints"] == ["$1", "$2"]
        body = {"command": "all:args-prompt", "arguments": "Paris France"}
        await ostler.post(f"/session/{session}/command", body)
        said = str(ostler.model.requests[-1]["messages"][-1])
        assert "weather in Paris, France" in said


async def test_the_file_server_and_its_rules(tmp_path: Path) -> None:
    script = [
        tool("fs_write_file", path="made.txt", content="x"),
        tool("fs_read_text_file", path="README.md"),
        text("done"),
    ]
    config = {
        "mcp": {"fs": {"type": "local", "command": ["node", FILES, "."]}},
        "permission": {"fs_write_*": "deny", "fs_read_*": "ask"},
    }
    async with serving(tmp_path, script, config=config) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        await ostler.post(f"/permission/{asked['id']}/reply", {"reply": "always"})
        await events.idle()
        refused, read = (part["state"] for part in await ostler.parts(session, "tool"))
        assert "fs_write_file" in refused["output"]  # no such tool for this agent
        assert read["output"] == "A project.\n"
        assert not (ostler.root / "made.txt").exists()


async def test_the_reference_server_over_http(tmp_path: Path) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *("node", EVERYTHING, "streamableHttp"),
        env={**os.environ, "PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await _listens(port)
        entry = {"type": "remote", "url": f"http://127.0.0.1:{port}/mcp"}
        script = [tool("all_echo", message="over http"), text("done")]
        async with serving(tmp_path, script, config={"mcp": {"all": entry}}) as ostler:
            session = await ostler.create()
            assert texts(await ostler.prompt(session)) == "done"
            (part,) = await ostler.parts(session, "tool")
            assert "over http" in part["state"]["output"]
    finally:
        kill(process)


async def _listens(port: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
