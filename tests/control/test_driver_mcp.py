"""``ostler drive --mcp``, asked by the official client."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.support.command import SOURCES, free_port
from tests.support.model_server import text
from tests.support.product import environment, serving

THE_NINE = {
    *("check", "create", "send", "send_async", "status", "abort", "delete", "list", "models")
}


@asynccontextmanager
async def tools(home: Path, url: str) -> AsyncIterator[ClientSession]:
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "ostler", "drive", "--mcp"],
        env=environment(home, PYTHONPATH=SOURCES, OPENCODE_API_URL=url),
        cwd=str(home),
    )
    async with stdio_client(program) as streams, ClientSession(*streams) as session:
        await session.initialize()
        yield session


async def test_another_agent_drives_a_task(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, [text("one"), text("two")]) as ostler,
        tools(tmp_path / "driver", str(ostler.http.base_url)) as session,
    ):
        assert {tool.name for tool in (await session.list_tools()).tools} == THE_NINE

        async def call(name: str, **arguments: Any) -> dict[str, Any]:
            result = await session.call_tool(name, arguments)
            assert not result.is_error
            assert isinstance(result.structured_content, dict)
            return dict(result.structured_content)

        assert "test" in (await call("check"))["connected"]
        made = (await call("create", title="T"))["sessionID"]
        assert (await call("send", text="go", session_id=made))["text"] == "one"
        later = await call("send_async", text="go on")
        status = await call("status", session_id=later["sessionID"], wait=20)
        assert status["answer"]["text"] == "two"
        again = await call("send", text="again", session_id=made)
        assert (again["ok"], again["failure"]["kind"]) == (False, "contract_violation")
        assert "test/m1" in (await call("models"))["models"]
        for one in (made, later["sessionID"]):
            assert (await call("abort", session_id=one))["ok"]
            assert (await call("delete", session_id=one))["deleted"]
        assert (await call("list"))["sessions"] == []


async def test_a_server_that_is_not_there_is_an_answer(tmp_path: Path) -> None:
    async with tools(tmp_path, f"http://127.0.0.1:{free_port()}") as session:
        result = await session.call_tool("check", {})
        assert result.structured_content is not None
        assert result.structured_content["failure"]["kind"] == "server_unreachable"
