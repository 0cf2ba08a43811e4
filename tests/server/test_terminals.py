"""Terminals: programs behind a pseudo-terminal, over HTTP and a websocket."""

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import websockets
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect

from ostler.integrations.terminal import Ring
from ostler.server.access import Access
from tests.support.product import Ostler, serving


def address(ostler: Ostler, pty: str, **query: Any) -> str:
    url = str(ostler.http.base_url).rstrip("/").replace("http", "ws", 1)
    words = "&".join(f"{k}={v}" for k, v in query.items())
    return f"{url}/pty/{pty}/connect?{words}"


async def read_until(socket: ClientConnection, wanted: str) -> str:
    """What is shown, until ``wanted`` is part of it; the binary mark is passed over."""
    shown = ""
    async with asyncio.timeout(10):
        while wanted not in shown:
            frame = await socket.recv()
            shown += frame if isinstance(frame, str) else ""
    return shown


async def closing_code(socket: ClientConnection) -> int | None:
    """The code the server closes with; what it shows until then is passed over."""
    async with asyncio.timeout(10):
        with suppress(websockets.ConnectionClosed):
            async for _ in socket:
                pass
        await socket.wait_closed()
    return socket.close_code


async def opened(ostler: Ostler, *command: str, **body: Any) -> dict[str, Any]:
    return dict(await ostler.post("/pty", {"command": command[0], "args": command[1:], **body}))


async def test_a_terminal_from_beginning_to_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        events = await ostler.events()
        script = "echo hello; read line; echo got $line; stty size; exit 3"
        pty = await opened(ostler, "sh", "-c", script, title="Mine", env={"X": "1"})
        assert (pty["title"], pty["status"], pty["cwd"]) == ("Mine", "running", str(ostler.root))
        assert [p["id"] for p in await ostler.get("/pty")] == [pty["id"]]
        changed = await ostler.http.put(
            f"/pty/{pty['id']}", json={"title": "Other", "size": {"rows": 33, "cols": 101}}
        )
        assert changed.json()["title"] == "Other"
        async with connect(address(ostler, pty["id"])) as socket:
            await read_until(socket, "hello")
            await socket.send("typed words\r")
            assert "33 101" in await read_until(socket, "33 101")
            assert await closing_code(socket) == 1000
        exited = await events.until("pty.exited")
        assert exited["properties"] == {"id": pty["id"], "exitCode": 3}
        assert (await ostler.http.get(f"/pty/{pty['id']}")).status_code == 404
        assert await ostler.get("/pty") == []
        assert events.kinds("pty.created", "pty.updated")[0] == "pty.created"


async def test_a_shell_by_default(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        pty = await ostler.post("/pty")
        assert (pty["command"], pty["args"]) == ("/bin/bash", ["-l"])
        async with connect(address(ostler, pty["id"])) as socket:
            await socket.send("echo $((40+2)) $TERM\r")
            assert "42 xterm-256color" in await read_until(socket, "42 xterm")
        assert "/bin/bash" in [s["path"] for s in await ostler.get("/pty/shells")]


async def test_a_client_that_comes_back_goes_on_where_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        pty = await opened(ostler, "sh", "-c", "printf 0123456789; sleep 30")
        async with connect(address(ostler, pty["id"])) as socket:
            await read_until(socket, "0123456789")
        frames = {}
        for cursor in ("0", "4", "-1", "nonsense"):
            async with connect(address(ostler, pty["id"], cursor=cursor)) as socket:
                first = await asyncio.wait_for(socket.recv(), 10)
                mark = (
                    first if isinstance(first, bytes) else await asyncio.wait_for(socket.recv(), 10)
                )
                frames[cursor] = first if isinstance(first, str) else ""
                assert isinstance(mark, bytes)
                assert mark[:1] == b"\0"
                assert json.loads(mark[1:]) == {"cursor": 10}
        assert frames == {"0": "0123456789", "4": "456789", "-1": "", "nonsense": "0123456789"}


async def test_removing_one_ends_what_it_started(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        pty = await opened(
            ostler, "sh", "-c", "trap '' HUP; echo $$ > pid; while :; do sleep 1; done"
        )
        async with asyncio.timeout(10):
            while not (ostler.root / "pid").exists():
                await asyncio.sleep(0.01)
        assert (await ostler.http.delete(f"/pty/{pty['id']}")).json() is True
        with pytest.raises(ProcessLookupError):
            os.kill(pty["pid"], 0)


async def test_what_cannot_be(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        for body, says in (
            ({"command": "/no/such/program"}, "/no/such/program"),
            ({"cwd": "nowhere"}, "nowhere"),
            ({"args": "x"}, "args"),
        ):
            answer = await ostler.http.post("/pty", json=body)
            assert answer.status_code == 400
            assert says in answer.text
        pty = await opened(ostler, "sleep", "30")
        wrong = await ostler.http.put(f"/pty/{pty['id']}", json={"size": {"rows": 0, "cols": 5}})
        assert wrong.status_code == 400
        for path in ("/pty/pty_nope", "/pty/pty_nope/connect"):
            assert (await ostler.http.get(path)).status_code == 404
        assert (await ostler.http.get(f"/pty/{pty['id']}/connect")).status_code == 400


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("pty_nope", {}, 404),
        ("{id}", {"Origin": "http://evil.example"}, 403),
        ("{id}", {"Host": "evil.example"}, 403),
        ("{id}?ticket=wrong", {}, 403),
    ],
)
async def test_connections_that_are_refused(
    tmp_path: Path, path: str, headers: dict[str, str], status: int
) -> None:
    async with serving(tmp_path) as ostler:
        pty = await opened(ostler, "sleep", "30")
        name, _, query = path.replace("{id}", pty["id"]).partition("?")
        url = address(ostler, name).rstrip("?") + (f"?{query}" if query else "")
        with pytest.raises(websockets.InvalidStatus) as refused:
            await connect(url, additional_headers=headers)
        assert refused.value.response.status_code == status


async def test_a_password_or_a_ticket(tmp_path: Path) -> None:
    async with serving(tmp_path, access=Access(password="secret")) as ostler:
        ostler.http.auth = ("opencode", "secret")  # type: ignore[assignment]
        pty = await opened(ostler, "sh", "-c", "echo hello; sleep 30")
        with pytest.raises(websockets.InvalidStatus) as refused:
            await connect(address(ostler, pty["id"]))
        assert refused.value.response.status_code == 401
        route = f"/pty/{pty['id']}/connect-token"
        assert (await ostler.http.post(route)).status_code == 403
        answer = await ostler.http.post(route, headers={"x-opencode-ticket": "1"})
        ticket = answer.json()["ticket"]
        async with connect(address(ostler, pty["id"], ticket=ticket)) as socket:
            await read_until(socket, "hello")
        with pytest.raises(websockets.InvalidStatus):
            await connect(address(ostler, pty["id"], ticket=ticket))


async def test_a_stopping_server_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        pty = await opened(ostler, "sleep", "30")
        socket = await connect(address(ostler, pty["id"]))
        pid = pty["pid"]
    assert await closing_code(socket) == 1001
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@given(st.lists(st.text(alphabet="ab", max_size=9), max_size=12), st.integers(0, 60))
def test_the_ring_keeps_the_end(pieces: list[str], position: int) -> None:
    ring = Ring(limit=10)
    for piece in pieces:
        ring.add(piece)
    everything = "".join(pieces)
    assert (ring.start, ring.end) == (max(0, len(everything) - 10), len(everything))
    assert ring.since(position) == everything[max(position, ring.start) :]
