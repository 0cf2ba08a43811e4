"""Calls to Ostler's server and to the original's."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from ostler.client import (
    AsyncClient,
    Client,
    Conflict,
    DeadlineExceeded,
    InvalidAnswer,
    InvalidRequest,
    NotFound,
    ServerFailure,
    Unauthorized,
    Unreachable,
)
from ostler.schema.errors import MessageAbortedError
from ostler.schema.message import AssistantMessage
from ostler.schema.part import ToolPart, ToolStateCompleted
from ostler.schema.session import StatusBusy
from ostler.server.access import Access
from tests.support.command import free_port
from tests.support.model_server import STALL, Reply, delta, text, tool
from tests.support.product import serving
from tests.support.relay import Relay
from tests.support.servers import BOTH, server_of

SLOW = Reply([delta({"role": "assistant", "content": "a"}), STALL])
ASKS = {"permission": {"bash": "ask"}}


@pytest.mark.parametrize("kind", BOTH)
async def test_a_session_from_its_beginning_to_its_end(tmp_path: Path, kind: str) -> None:
    script = [tool("bash", command="echo hi", description="Say hi"), text("done")]
    async with server_of(kind, tmp_path, script) as server, AsyncClient(server.url) as client:
        session = await client.session.create(title="From the client")
        answer = await client.prompt(session.id, "go", model="test/m1", agent="build")
        assert (answer.text, answer.error, answer.info.finish) == ("done", None, "stop")
        messages = await client.session.messages(session.id)
        (call,) = (p for m in messages for p in m.parts if isinstance(p, ToolPart))
        assert isinstance(call.state, ToolStateCompleted)
        assert call.state.output.strip() == "hi"
        assert [m.info.id for m in await client.session.messages(session.id, limit=1)] == [
            answer.info.id
        ]
        assert (await client.session.update(session.id, title="Renamed")).title == "Renamed"
        assert [s.id for s in await client.session.list()] == [session.id]
        assert await client.session.delete(session.id) is True
        with pytest.raises(NotFound) as missing:
            await client.session.get(session.id)
        assert (missing.value.status, missing.value.name) == (404, "NotFoundError")
        assert session.id in missing.value.message


@pytest.mark.parametrize("kind", BOTH)
async def test_what_a_server_says_of_itself_is_typed(tmp_path: Path, kind: str) -> None:
    async with server_of(kind, tmp_path) as server, AsyncClient(server.url) as client:
        assert (await client.global_.health()).healthy
        assert (await client.path.get()).directory == str(server.root)
        assert (await client.config.get()).model == "test/m1"
        providers = await client.provider.list()
        assert "test" in providers.connected
        assert (await client.config.providers()).default["test"] == "m1"
        agents = {agent.name: agent.mode for agent in await client.app.agents()}
        assert agents["build"] == "primary"
        assert "init" in [command.name for command in await client.command.list()]
        assert [p.vcs for p in await client.project.list() if p.worktree == str(server.root)]
        assert (await client.vcs.get()).branch == "main"
        assert (await client.file.read(path="README.md")).content == "A project."
        assert await client.find.files(query="README") == ["README.md"]
        assert [m.path.text for m in await client.find.text(pattern="A proj.ct")] == ["README.md"]
        assert "bash" in await client.tool.ids()
        assert await client.mcp.status() == {}
        assert await client.app.skills() is not None
        assert await client.lsp.status() is not None
        assert await client.app.log(service="test", level="info", message="hello")
        assert (await client.pty.shells())[0].path


@pytest.mark.parametrize("kind", BOTH)
async def test_a_directory_per_client_and_per_call(tmp_path: Path, kind: str) -> None:
    one, other = tmp_path / "ein ort", tmp_path / "ütwo"
    one.mkdir()
    other.mkdir()
    async with (
        server_of(kind, tmp_path) as server,
        AsyncClient(server.url, directory=str(one)) as client,
    ):
        assert (await client.path.get()).directory == str(one)
        assert (await client.path.get(directory=str(other))).directory == str(other)
        assert (await client.session.create()).directory == str(one)


@pytest.mark.parametrize("kind", BOTH)
async def test_an_ask_is_answered(tmp_path: Path, kind: str) -> None:
    script = [tool("bash", command="echo hi", description="Say hi"), text("done")]
    async with (
        server_of(kind, tmp_path, script, **ASKS) as server,
        AsyncClient(server.url) as client,
        client.events() as events,
    ):
        session = await client.session.create()
        turn = asyncio.create_task(client.prompt(session.id, "go"))
        asked = await anext(e async for e in events if e.type == "permission.asked")
        (request,) = await client.permission.list()
        assert request.id == asked.properties["id"]
        assert request.permission == "bash"
        assert isinstance((await client.session.status())[session.id], StatusBusy)
        with pytest.raises(Conflict):
            await client.session.shell(session.id, agent="build", command="true")
        assert await client.permission.reply(request.id, reply="once")
        assert (await turn).text == "done"


@pytest.mark.parametrize("kind", BOTH)
async def test_mistakes_are_told_apart(tmp_path: Path, kind: str) -> None:
    async with server_of(kind, tmp_path) as server, AsyncClient(server.url) as client:
        with pytest.raises(InvalidRequest, match="parts"):
            await client.session.prompt((await client.session.create()).id, parts=[{"type": "no"}])
        with pytest.raises((NotFound, ServerFailure, InvalidAnswer)):
            await client.call("GET /no/such/route")
        with pytest.raises(ValueError, match="sessionID"):
            await client.session.get("")
        with pytest.raises(ValueError, match="provider/model"):
            await client.prompt("ses_1", "go", model="gpt")
        for deadline in (0, -1, float("inf"), float("nan")):
            with pytest.raises(ValueError, match="deadline"):
                await client.global_.health(deadline=deadline)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("deadline", [0.2, 3.0])
async def test_at_its_deadline_a_turn_is_aborted(
    tmp_path: Path, kind: str, deadline: float
) -> None:
    """An early one too: the original forgets an abort that comes before the turn has begun."""
    async with server_of(kind, tmp_path, [SLOW]) as server, AsyncClient(server.url) as client:
        session = await client.session.create(title="t")
        with pytest.raises(DeadlineExceeded) as late:
            await client.prompt(session.id, "go", deadline=deadline)
        assert late.value.seconds == deadline
        assert (await client.session.status()).get(session.id) is None
        newest = (await client.session.messages(session.id))[-1]
        assert isinstance(newest.info, AssistantMessage)
        assert isinstance(newest.info.error, MessageAbortedError)


async def test_a_cancelled_prompt_is_aborted(tmp_path: Path) -> None:
    async with serving(tmp_path, [SLOW]) as ostler, AsyncClient(str(ostler.http.base_url)) as c:
        session = await c.session.create()
        turn = asyncio.create_task(c.prompt(session.id, "go"))
        await ostler.model.wait_for_requests(1)
        turn.cancel()
        await asyncio.wait((turn,))
        assert turn.cancelled()
        assert await c.session.status() == {}


async def test_a_server_that_is_not_there() -> None:
    async with AsyncClient(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(Unreachable) as nobody:
            await client.global_.health()
        assert nobody.value.sent is False


async def test_a_server_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # nobody accepts
        async with AsyncClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            began = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                await client.global_.health(deadline=0.2)
            assert time.monotonic() - began < 2


async def test_a_connection_that_breaks_while_a_call_waits(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, [SLOW]) as ostler,
        Relay(ostler.http.base_url.port or 0) as relay,
        AsyncClient(relay.url) as client,
    ):
        session = await client.session.create()
        turn = asyncio.create_task(client.prompt(session.id, "go"))
        await ostler.model.wait_for_requests(1)
        relay.cut()
        with pytest.raises(Unreachable) as broken:
            await turn
        assert broken.value.sent is True
        await client.session.abort(session.id)


async def test_what_is_no_api_is_named(tmp_path: Path) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]")
        writer.close()

    other = await asyncio.start_server(page, "127.0.0.1", 0)
    async with other, AsyncClient(f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}") as c:
        with pytest.raises(InvalidAnswer) as odd:
            await c.global_.health()
        assert odd.value.body == "[]"


# ── passwords and proxies ─────────────────────────────────────────────────────────────────────


async def test_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(password="s:e cret", username="me")
    async with serving(tmp_path, access=access) as ostler:
        url = str(ostler.http.base_url)
        with pytest.raises(Unauthorized) as refused:
            await AsyncClient(url).path.get()
        assert refused.value.status == 401
        with pytest.raises(Unauthorized):
            await anext(AsyncClient(url).events())
        assert await AsyncClient(url, username="me", password="s:e cret").path.get()
        inside = url.replace("http://", "http://me:s%3Ae%20cret@")
        assert await AsyncClient(inside).path.get()
        monkeypatch.setenv("OPENCODE_API_URL", url)
        monkeypatch.setenv("OPENCODE_SERVER_USERNAME", "me")
        monkeypatch.setenv("OPENCODE_SERVER_PASSWORD", "s:e cret")
        client = AsyncClient()
        assert client.url == url.rstrip("/")
        assert (await client.path.get()).directory == str(ostler.root)
        async with client.events() as events:
            assert (await anext(events)).type == "server.connected"


async def test_proxies_are_not_asked_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def proxy(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.close()

    listening = await asyncio.start_server(proxy, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, address)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with serving(tmp_path, [text("ok")]) as ostler, listening:
        for host in ("127.0.0.1", "localhost"):
            url = f"http://{host}:{ostler.http.base_url.port}"
            async with AsyncClient(url) as client, client.events() as events:
                await client.global_.health()
                assert (await anext(events)).type == "server.connected"
        assert not asked.is_set()
        with pytest.raises(Unreachable):
            await AsyncClient("http://192.0.2.1:4096").global_.health()
        assert asked.is_set(), "the environment's proxy is for other machines"


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://h:x"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        AsyncClient(url)


# ── without an event loop ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", BOTH)
async def test_the_blocking_client(tmp_path: Path, kind: str) -> None:
    async with server_of(kind, tmp_path, [text("one"), text("two")]) as server:

        def work() -> None:
            with Client(server.url) as client, client.events() as events:
                assert client.global_.health().healthy
                session = client.session.create(title="t")
                assert client.prompt(session.id, "go").text == "one"
                with client.stream(session.id, "again") as stream:
                    assert "".join(stream) == "two"
                assert stream.answer.text == "two"
                kinds = {next(events).type for _ in range(6)}
                assert "session.created" in kinds
                events.close()
                assert list(events) == []
                with pytest.raises(NotFound):
                    client.session.get("ses_0")

        await asyncio.to_thread(work)
