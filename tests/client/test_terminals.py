"""Terminals, over a websocket."""

import asyncio
from pathlib import Path

import pytest

from ostler.client import AsyncClient, Client
from tests.support.product import DEADLINE
from tests.support.servers import BOTH, server_of

HELLO = ["-c", "echo hello from $0; read line; echo you said $line", "sh"]


def text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else ""


@pytest.mark.parametrize("kind", BOTH)
async def test_a_terminal_is_spoken_to(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with server_of(kind, tmp_path) as server, AsyncClient(server.url) as client:
        terminal = await client.pty.create(command="/bin/sh", args=HELLO, title="T")
        shown = ""
        async with asyncio.timeout(DEADLINE), client.pty.connect(terminal.id) as socket:
            while "hello from sh" not in shown:
                shown += text(await socket.recv())
            await socket.send("ping\n")
            while "you said ping" not in shown:
                shown += text(await socket.recv())
        assert [t.title for t in await client.pty.list()] in ([], ["T"])


async def test_a_terminal_is_spoken_to_without_an_event_loop(tmp_path: Path) -> None:
    async with server_of("ostler", tmp_path) as server:

        def work() -> str:
            shown = ""
            with Client(server.url) as client:
                terminal = client.pty.create(command="/bin/sh", args=HELLO)
                with client.pty.connect(terminal.id) as socket:
                    while "hello from sh" not in shown:
                        shown += text(socket.recv(timeout=DEADLINE))
            return shown

        assert "hello from sh" in await asyncio.to_thread(work)
