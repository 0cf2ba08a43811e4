"""MCP servers, made with the official package: their tools, prompts and resources in a session."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ostler.integrations.mcp import connection
from ostler.integrations.mcp import servers as mcp_servers
from tests.support import mcp_server
from tests.support.model_server import text, tool
from tests.support.product import DEADLINE, Json, Ostler, serving, texts

PROGRAM = [sys.executable, mcp_server.__file__]
LOCAL = {"type": "local", "command": PROGRAM}


def servers(**configured: Any) -> Json:
    return {"mcp": configured}


@asynccontextmanager
async def remote(tmp_path: Path, *arguments: str) -> AsyncIterator[str]:
    """A server at an address, without its path."""
    async with remote_process(tmp_path, *arguments) as (url, _):
        yield url


@asynccontextmanager
async def remote_process(
    tmp_path: Path, *arguments: str
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The same, and its process."""
    port_file = tmp_path / f"port-{len(arguments)}-{arguments[0]}"
    port_file.unlink(missing_ok=True)
    kind, *more = arguments
    process = await asyncio.create_subprocess_exec(*PROGRAM, kind, str(port_file), *more)
    try:
        async with asyncio.timeout(DEADLINE):
            while not port_file.exists():
                await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text()}", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def offered(ostler: Ostler, request: int = -1) -> list[str]:
    """The names of the tools in a request to the model."""
    body = [r for r in ostler.model.requests if r.get("tools")][request]
    return [t["function"]["name"] for t in body["tools"]]


async def test_a_tool_of_a_local_server(tmp_path: Path) -> None:
    script = [tool("t_echo", text="hello"), text("done")]
    async with serving(tmp_path, script, config=servers(t=LOCAL)) as ostler:
        assert await ostler.get("/mcp") == {"t": {"status": "connected"}}
        session = await ostler.create()
        assert texts(await ostler.prompt(session)) == "done"
        (part,) = await ostler.parts(session, "tool")
        assert (part["tool"], part["state"]["output"]) == ("t_echo", "echo: hello")
        request = next(r for r in ostler.model.requests if r.get("tools"))
        schema = next(t for t in request["tools"] if t["function"]["name"] == "t_echo")
        assert schema["function"]["description"] == "Say it again."
        assert schema["function"]["parameters"]["properties"]["text"]["type"] == "string"
        system = request["messages"][0]["content"]
        assert '<server name="t">\n    Ask nicely.\n    Twice.\n  </server>' in system


async def test_servers_start_when_they_are_first_needed(tmp_path: Path) -> None:
    mark = tmp_path / "started"
    command = ["sh", "-c", f"echo x >> {mark}; exec " + " ".join(PROGRAM)]
    async with serving(
        tmp_path, [text("a")], config=servers(t={"type": "local", "command": command})
    ) as ostler:
        await ostler.get("/config")
        assert not mark.exists()
        for _ in range(2):
            await ostler.prompt(await ostler.create())
        assert mark.read_text() == "x\n"  # one process for all sessions


@pytest.mark.parametrize(
    ("called", "state", "value"),
    [
        ("t_fail", "error", "no luck today"),
        ("t_picture", "completed", ""),
        ("t_report", "completed", "reported"),
    ],
)
async def test_results_of_tools(tmp_path: Path, called: str, state: str, value: str) -> None:
    arguments: Json = {"steps": 3} if called == "t_report" else {}
    script = [tool(called, **arguments), text("done")]
    async with serving(tmp_path, script, config=servers(t=LOCAL)) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == state
        said = part["state"]["error" if state == "error" else "output"]
        assert value in said
        if called == "t_picture":
            (attachment,) = part["state"]["attachments"]
            assert attachment["mime"] == "image/png"
            assert attachment["url"].startswith("data:image/png;base64,iVBOR")


async def test_a_tool_asks_under_its_own_name(tmp_path: Path) -> None:
    config = {**servers(t=LOCAL), "permission": {"t_*": "ask", "t_fail": "deny"}}
    script = [tool("t_echo", text="x"), text("done")]
    async with serving(tmp_path, script, config=config) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        assert (asked["permission"], asked["patterns"], asked["always"]) == ("t_echo", ["*"], ["*"])
        await ostler.post(f"/permission/{asked['id']}/reply", {"reply": "once"})
        await events.idle()
        assert "t_fail" not in offered(ostler)
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["output"] == "echo: x"


async def test_environment_and_working_directory(tmp_path: Path) -> None:
    config = servers(t={**LOCAL, "environment": {"COLOUR": "green"}, "cwd": "inner"})
    (tmp_path / "project/inner").mkdir(parents=True)
    script = [tool("t_environment", variable="COLOUR"), text("done")]
    async with serving(tmp_path, script, config=config, version_control=False) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["output"] == f"green in {tmp_path}/project/inner"


async def test_a_server_that_ends_is_started_again(tmp_path: Path) -> None:
    script = [tool("t_die"), text("oh"), tool("t_echo", text="back"), text("done")]
    async with serving(tmp_path, script, config=servers(t=LOCAL)) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        assert texts(await ostler.prompt(session)) == "oh"
        await events.until("mcp.tools.changed")
        assert texts(await ostler.prompt(session)) == "done"
        died, echoed = await ostler.parts(session, "tool")
        assert died["state"]["status"] == "error"
        assert "Connection closed" in died["state"]["error"]
        assert echoed["state"]["output"] == "echo: back"


async def test_a_server_that_keeps_ending_is_left_alone_for_a_while(tmp_path: Path) -> None:
    script = [tool("t_die"), tool("t_die"), text("done")]
    async with serving(tmp_path, script, config=servers(t=LOCAL)) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        assert (await ostler.get("/mcp"))["t"] == {
            "status": "failed",
            "error": "Connection closed",
        }
        await ostler.post("/mcp/t/connect")
        assert (await ostler.get("/mcp"))["t"] == {"status": "connected"}


async def test_a_server_that_was_there_for_a_while_is_started_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_servers, "STEADY_SECONDS", 0.0)
    script = [tool("t_die"), tool("t_die"), tool("t_echo", text="still here"), text("done")]
    async with serving(tmp_path, script, config=servers(t=LOCAL), titles=False) as ostler:
        session = await ostler.create(title="Named")
        await ostler.prompt(session)
        *died, echoed = await ostler.parts(session, "tool")
        assert len(died) == 2
        assert echoed["state"]["output"] == "echo: still here"


async def test_a_server_may_offer_more_later(tmp_path: Path) -> None:
    script = [tool("t_grow"), text("grown"), tool("t_grown"), text("done")]
    async with serving(tmp_path, script, config=servers(t=LOCAL)) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt(session)
        changed = await events.until("mcp.tools.changed")
        assert changed["properties"] == {"server": "t"}
        await ostler.prompt(session)
        assert (await ostler.parts(session, "tool"))[-1]["state"]["output"] == "I am new"


async def test_everything_a_server_started_ends_with_it(tmp_path: Path) -> None:
    script = [tool("t_spawn"), text("done")]
    async with serving(tmp_path, script, config=servers(t=LOCAL)) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        (part,) = await ostler.parts(session, "tool")
        child = int(part["state"]["output"])
        assert _runs(child)
        await ostler.post("/mcp/t/disconnect")
        assert await ostler.get("/mcp") == {"t": {"status": "disabled"}}
        assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"type": "local", "command": ["/no/such/program"]}, "cannot run /no/such/program"),
        (
            {"type": "local", "command": ["sh", "-c", "echo no key >&2; exit 1"]},
            "Connection closed\nno key",
        ),
        ({"type": "local", "command": ["sleep", "60"], "timeout": 300}, "No answer within 0.3 s"),
        ({"type": "remote", "url": "http://127.0.0.1:9/mcp"}, "connection attempts failed"),
        ({"type": "remote", "url": "not a url"}, "Invalid MCP URL"),
    ],
)
async def test_a_server_that_cannot_be_had_says_why(
    tmp_path: Path, config: Json, reason: str
) -> None:
    async with serving(tmp_path, [text("answered all the same")], config=servers(t=config)) as o:
        status = (await o.get("/mcp"))["t"]
        assert status["status"] == "failed"
        assert reason in status["error"]
        assert texts(await o.prompt(await o.create())) == "answered all the same"


async def test_a_silent_tool_is_given_up(tmp_path: Path) -> None:
    script = [tool("t_sleep", seconds=30), text("done")]
    config = {**servers(t=LOCAL), "experimental": {"mcp_timeout": 300}}
    async with serving(tmp_path, script, config=config) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session)) == "done"
        (part,) = await ostler.parts(session, "tool")
        assert "did not answer within 0.3 s" in part["state"]["error"]


async def test_switching_servers_on_and_off(tmp_path: Path) -> None:
    config = servers(off={**LOCAL, "enabled": False}, toggle={"enabled": False})
    async with serving(tmp_path, config=config) as ostler:
        assert await ostler.get("/mcp") == {"off": {"status": "disabled"}}
        assert await ostler.post("/mcp/off/connect") is True
        assert await ostler.get("/mcp") == {"off": {"status": "connected"}}
        added = await ostler.post("/mcp", {"name": "more", "config": LOCAL})
        assert added["more"] == {"status": "connected"}
        failed = await ostler.post("/mcp", {"name": "x", "config": {**LOCAL, "command": ["/no"]}})
        assert failed["x"]["status"] == "failed"
        for action in ("connect", "disconnect", "auth", "auth/authenticate"):
            answer = await ostler.http.post(f"/mcp/nothing/{action}", json={})
            assert answer.status_code == 404
            assert answer.json()["_tag"] == "McpServerNotFoundError"
        bad = await ostler.http.post("/mcp", json={"name": "x", "config": {"type": "local"}})
        assert bad.status_code == 400
        assert "command" in bad.text


# ── trust ────────────────────────────────────────────────────────────────────────────────────


async def test_a_projects_own_servers_wait_for_trust(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = {"type": "local", "command": ["touch", str(mark)]}
    files = {"opencode.json": json.dumps(servers(evil=evil, fine={"enabled": True}))}
    async with serving(tmp_path, [text("a")], config=servers(fine=LOCAL), files=files) as ostler:
        await ostler.prompt(await ostler.create())
        statuses = await ostler.get("/mcp")
        assert statuses["fine"] == {"status": "connected"}
        assert statuses["evil"]["status"] == "failed"
        assert f"ostler trust {tmp_path}/project" in statuses["evil"]["error"]
        await ostler.post("/mcp/evil/connect")
        assert not mark.exists()


@pytest.mark.parametrize("how", ["variable", "configuration"])
async def test_a_trusted_projects_servers_run(tmp_path: Path, how: str) -> None:
    files = {"opencode.json": json.dumps({**servers(t=LOCAL), "trust": False})}
    variables = {"OSTLER_TRUST": "1"} if how == "variable" else {}
    config = {"trust": True} if how == "configuration" else {}
    async with serving(tmp_path, config=config, files=files, **variables) as ostler:
        assert await ostler.get("/mcp") == {"t": {"status": "connected"}}


async def test_a_project_cannot_trust_itself(tmp_path: Path) -> None:
    files = {"opencode.json": json.dumps({**servers(t=LOCAL), "trust": True})}
    async with serving(tmp_path, files=files) as ostler:
        assert (await ostler.get("/mcp"))["t"]["status"] == "failed"


# ── resources and prompts ────────────────────────────────────────────────────────────────────


async def test_resources(tmp_path: Path) -> None:
    script = [
        tool("list_mcp_resources"),
        tool("list_mcp_resource_templates", server="t"),
        tool("read_mcp_resource", server="t", uri="memo://cats/text"),
        tool("read_mcp_resource", server="u", uri="memo://cats/text"),
        text("done"),
    ]
    async with serving(tmp_path, script, config=servers(t=LOCAL)) as ostler:
        assert await ostler.get("/experimental/resource") == {
            "t:memo://plain": {
                "name": "plain",
                "uri": "memo://plain",
                "client": "t",
                "mimeType": "text/plain",
            }
        }
        session = await ostler.create()
        await ostler.prompt(session)
        listed, templates, read, wrong = (p["state"] for p in await ostler.parts(session, "tool"))
        (resource,) = json.loads(listed["output"])["resources"]
        assert (resource["uri"], resource["server"]) == ("memo://plain", "t")
        (template,) = json.loads(templates["output"])["resourceTemplates"]
        assert template["uriTemplate"] == "memo://{name}/text"
        assert read["output"] == ("Resource: memo://cats/text\nMIME: text/plain\na memo on cats")
        assert 'no MCP server "u"' in wrong["error"]


async def test_a_resource_in_a_prompt(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("read")], config=servers(t=LOCAL)) as ostler:
        session = await ostler.create()
        source = {
            "type": "resource",
            "clientName": "t",
            "uri": "memo://plain",
            "text": {"value": "@plain", "start": 0, "end": 6},
        }
        part = {
            "type": "file",
            "mime": "text/plain",
            "filename": "plain",
            "url": "memo://plain",
            "source": source,
        }
        await ostler.prompt(session, parts=[{"type": "text", "text": "see"}, part])
        said = str(ostler.model.requests[-1]["messages"])
        assert "Reading MCP resource: plain (memo://plain)" in said
        assert "a plain memo" in said


async def test_prompts_are_commands(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("hi")], config=servers(t=LOCAL)) as ostler:
        command = next(c for c in await ostler.get("/command") if c.get("source") == "mcp")
        assert command["name"] == "t:greet"
        assert command["description"] == "Greets."
        assert command["hints"] == ["$1", "$2"]
        assert command["template"].startswith("Greet $1 $2.")
        session = await ostler.create()
        body = {"command": "t:greet", "arguments": "'old Tom' very warmly"}
        await ostler.post(f"/session/{session}/command", body)
        (said, *_) = [p["text"] for p in await ostler.parts(session, "text")]
        assert said == "Greet old Tom very warmly. Not run: !`echo nothing`"
        failed = await ostler.http.post(
            f"/session/{session}/command", json={"command": "t:greet", "arguments": ""}
        )
        assert failed.status_code == 400
        assert "who" in failed.text


# ── remote servers ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kind", "path"), [("http", "/mcp"), ("sse", "/sse")])
async def test_a_remote_server(tmp_path: Path, kind: str, path: str) -> None:
    script = [tool("t_echo", text="far"), text("done")]
    async with remote(tmp_path, kind) as url:
        config = servers(t={"type": "remote", "url": url + path})
        async with serving(tmp_path, script, config=config) as ostler:
            session = await ostler.create()
            await ostler.prompt(session)
            (part,) = await ostler.parts(session, "tool")
            assert part["state"]["output"] == "echo: far"


@pytest.mark.parametrize(("kind", "path"), [("http", "/mcp"), ("sse", "/sse")])
async def test_a_remote_server_that_dies_is_noticed_and_found_again(
    tmp_path: Path, kind: str, path: str
) -> None:
    script = [tool("t_echo", text="back"), text("done")]
    async with remote_process(tmp_path, kind) as (url, process):
        config = servers(t={"type": "remote", "url": url + path})
        async with serving(tmp_path, script, config=config, titles=False) as ostler:
            assert await ostler.get("/mcp") == {"t": {"status": "connected"}}
            events = await ostler.events()
            process.kill()
            await events.until("mcp.tools.changed")  # nobody asked
            assert (await ostler.get("/mcp"))["t"]["status"] == "failed"
            port = url.rpartition(":")[2]
            async with remote_process(tmp_path, kind, f"port={port}"):
                await until_status(ostler, "connected")
                session = await ostler.create(title="Named")
                await ostler.prompt(session)
                (part,) = await ostler.parts(session, "tool")
                assert part["state"]["output"] == "echo: back"


async def until_status(ostler: Ostler, wanted: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while (await ostler.get("/mcp"))["t"]["status"] != wanted:
            await asyncio.sleep(0.05)


async def test_a_server_that_forgot_the_session_is_connected_to_anew(tmp_path: Path) -> None:
    script = [tool("t_echo", text="hello"), text("done")]
    async with remote_process(tmp_path, "http") as (url, process):
        config = servers(t={"type": "remote", "url": url + "/mcp"})
        async with serving(tmp_path, script, config=config, titles=False) as ostler:
            assert await ostler.get("/mcp") == {"t": {"status": "connected"}}
            events = await ostler.events()
            process.kill()
            await process.wait()
            async with remote_process(tmp_path, "http", f"port={url.rpartition(':')[2]}"):
                await events.until("mcp.tools.changed")
                session = await ostler.create(title="Named")
                assert texts(await ostler.prompt(session)) == "done"
                (part,) = await ostler.parts(session, "tool")
                assert part["state"]["output"] == "echo: hello"


async def test_a_server_that_only_answers_is_asked_before_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SILENT_SECONDS", 0.0)
    async with remote_process(tmp_path, "quiet") as (url, process):
        config = servers(t={"type": "remote", "url": url + "/mcp"})
        async with serving(tmp_path, config=config) as ostler:
            for _ in range(2):
                assert await ostler.get("/mcp") == {"t": {"status": "connected"}}
            process.kill()
            await process.wait()
            assert (await ostler.get("/mcp"))["t"]["status"] == "failed"


async def test_a_server_that_hangs_is_asked_before_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(connection, "PING_SECONDS", 0.3)
    async with remote_process(tmp_path, "http") as (url, process):
        config = servers(t={"type": "remote", "url": url + "/mcp", "timeout": 500})
        async with serving(tmp_path, config=config) as ostler:
            assert await ostler.get("/mcp") == {"t": {"status": "connected"}}
            process.send_signal(signal.SIGSTOP)
            found = (await ostler.get("/mcp"))["t"]
            assert (found["status"], "within" in found["error"]) == ("failed", True)
            process.send_signal(signal.SIGCONT)
            await until_status(ostler, "connected")


async def test_a_server_that_works_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(connection, "PING_SECONDS", 0.1)
    script = [tool("t_sleep", seconds=1), text("done")]
    async with remote(tmp_path, "http") as url:
        config = servers(t={"type": "remote", "url": url + "/mcp"})
        async with serving(tmp_path, script, config=config, titles=False) as ostler:
            events = await ostler.events()
            session = await ostler.create(title="Named")
            await ostler.prompt_async(session)
            await events.until(running)
            assert await ostler.get("/mcp") == {"t": {"status": "connected"}}
            await events.idle()
            (part,) = await ostler.parts(session, "tool")
            assert part["state"]["output"] == "awake"


def running(event: Json) -> bool:
    state = event["properties"].get("part", {}).get("state") or {}
    return state.get("status") == "running"


async def test_signing_in(tmp_path: Path) -> None:
    async with remote(tmp_path, "oauth") as url:
        config = servers(t={"type": "remote", "url": f"{url}/mcp"})
        async with serving(tmp_path, config=config) as ostler:
            events = await ostler.events()
            assert await ostler.get("/mcp") == {"t": {"status": "needs_auth"}}
            toast = (await events.until("tui.toast.show"))["properties"]
            assert toast["title"] == "MCP Authentication Required"

            started = await ostler.post("/mcp/t/auth")
            query = parse_qs(urlsplit(started["authorizationUrl"]).query)
            assert query["state"] == [started["oauthState"]]
            assert query["code_challenge_method"] == ["S256"]
            code = await _visit(started["authorizationUrl"])
            assert await ostler.post("/mcp/t/auth/callback", {"code": code}) == {
                "status": "connected"
            }
            kept = tmp_path / "home/.local/share/ostler/mcp-auth.json"
            assert kept.stat().st_mode & 0o777 == 0o600
            assert json.loads(kept.read_text())["t"]["serverUrl"] == f"{url}/mcp"

            await ostler.post("/instance/dispose")  # a new process, so to speak, is still in
            assert await ostler.get("/mcp") == {"t": {"status": "connected"}}
            answer = await ostler.http.delete("/mcp/t/auth")
            assert answer.json() == {"success": True}
            await ostler.post("/mcp/t/connect")
            assert await ostler.get("/mcp") == {"t": {"status": "needs_auth"}}


async def test_an_expired_token_is_refreshed(tmp_path: Path) -> None:
    async with remote(tmp_path, "oauth") as url:
        config = servers(t={"type": "remote", "url": f"{url}/mcp"})
        async with serving(tmp_path, config=config) as ostler:
            started = await ostler.post("/mcp/t/auth")
            code = await _visit(started["authorizationUrl"])
            await ostler.post("/mcp/t/auth/callback", {"code": code})
            kept = tmp_path / "home/.local/share/ostler/mcp-auth.json"
            entries = json.loads(kept.read_text())
            old = entries["t"]["tokens"]["accessToken"]
            entries["t"]["tokens"]["expiresAt"] = 1
            kept.write_text(json.dumps(entries))
            await ostler.post("/mcp/t/connect")
            assert await ostler.get("/mcp") == {"t": {"status": "connected"}}
            assert json.loads(kept.read_text())["t"]["tokens"]["accessToken"] != old


async def test_signing_in_with_a_browser_on_this_machine(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\nexec curl -sL "$1" -o "$0.page"\n')
    browser.chmod(0o755)
    port = _free_port()
    async with remote(tmp_path, "oauth") as url:
        entry = {"type": "remote", "url": f"{url}/mcp", "oauth": {"callbackPort": port}}
        async with serving(tmp_path, config=servers(t=entry), BROWSER=str(browser)) as ostler:
            status = await ostler.post("/mcp/t/auth/authenticate")
            assert status == {"status": "connected"}
            assert "Signed in" in Path(f"{browser}.page").read_text()


async def test_a_client_that_cannot_register(tmp_path: Path) -> None:
    async with remote(tmp_path, "oauth", "no-registration") as url:
        config = servers(
            t={"type": "remote", "url": f"{url}/mcp"},
            never={"type": "remote", "url": f"{url}/mcp", "oauth": False},
        )
        async with serving(tmp_path, config=config) as ostler:
            statuses = await ostler.get("/mcp")
            assert statuses["t"]["status"] == "needs_client_registration"
            assert statuses["never"]["status"] == "failed"
            refused = await ostler.http.post("/mcp/never/auth", json={})
            assert refused.status_code == 400
            assert refused.json() == {"error": "MCP server never does not support OAuth"}


async def _visit(url: str) -> str:
    """What a person's browser brings back from the authorization server."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(url)
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def _free_port() -> int:
    from tests.support.product import listen_anywhere

    with listen_anywhere() as listener:
        return int(listener.getsockname()[1])


async def test_a_server_that_does_not_answer_holds_up_no_end(tmp_path: Path) -> None:
    silent = {"type": "local", "command": ["sleep", "60"]}
    async with serving(tmp_path, config=servers(t=silent)) as ostler:
        asking = asyncio.create_task(ostler.http.get("/mcp"))
        await ostler.get("/config")
        began = asyncio.get_running_loop().time()
        await ostler.post("/mcp/t/disconnect")
        assert await ostler.get("/mcp") == {"t": {"status": "disabled"}}
        assert (await asking).status_code == 200
        assert asyncio.get_running_loop().time() - began < 15  # of the 30 s it could take
