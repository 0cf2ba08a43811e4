"""Clients written for OpenCode, unchanged: its JavaScript SDK, and its terminal UI."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support import model_server as model
from tests.support.command import kill
from tests.support.model_server import STALL, Reply
from tests.support.product import Json, Ostler, serving

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
ORIGINAL = MODULES / "opencode-linux-x64/bin/opencode"
REQUIRED = bool(os.environ.get("OSTLER_CLIENTS_REQUIRED"))
ASK = {"permission": {"bash": "ask"}}


def needs(*found: object) -> pytest.MarkDecorator:
    missing = not all(found) and not REQUIRED
    return pytest.mark.skipif(missing, reason="`make clients` brings them, with npm and tmux")


@needs(shutil.which("node"), (MODULES / "@opencode-ai").exists())
async def test_the_javascript_sdk(tmp_path: Path) -> None:
    async with serving(tmp_path, model.by_rule, config=ASK, titles=False) as ostler:
        process = await asyncio.create_subprocess_exec(
            *("node", "sdk.mjs", str(ostler.http.base_url)),
            cwd=HERE,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(60):
                out, err = await process.communicate()
        finally:
            kill(process)
        assert process.returncode == 0, err.decode()
        report = json.loads(out)
        agents = report.pop("agents")
        assert agents[0] == "build"
        assert report == {
            "title": "From the SDK",
            "listed": True,
            "text": "Hello world",
            "tokens": 5,
            "output": "from-the-sdk",
            "messages": 5,
            "providers": ["test"],
            "project": str(ostler.root),
            "files": ["README.md"],
            "read": "A project.",
            "aborted": True,
            "deltas": True,
            "missing": "NotFoundError",
            "deleted": True,
        }


class Screen:
    """A program in a terminal of tmux's."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def tmux(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *("tmux", "-S", self._socket, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return out.decode()

    async def shown(self) -> str:
        return await self.tmux("capture-pane", "-p")

    async def until(self, wanted: str) -> str:
        """What is shown once it holds ``wanted`` (a regular expression)."""
        text = ""
        try:
            async with asyncio.timeout(40):
                while not re.search(wanted, text := await self.shown()):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{wanted!r} is not shown:\n{text}") from None
        return text

    async def type(self, text: str) -> None:
        await self.tmux("send-keys", "-l", text)
        await self.until(re.escape(text))
        await self.press("Enter")

    async def press(self, *keys: str) -> None:
        await self.tmux("send-keys", *keys)


@asynccontextmanager
async def attached(ostler: Ostler, tmp_path: Path) -> AsyncIterator[Screen]:
    """The original terminal UI, showing this server."""
    home = tmp_path / "tui"
    home.mkdir()
    variables = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
    }
    settings = " ".join(f"{k}={v}" for k, v in variables.items())
    command = f"env -i {settings} {ORIGINAL} attach {ostler.http.base_url}"
    screen = Screen(str(tmp_path / "tmux"))
    size = ("-x", "120", "-y", "40")
    await screen.tmux("-f", os.devnull, "new-session", "-d", *size, command)
    try:
        await screen.until("Ask anything")
        yield screen
    finally:
        await screen.tmux("kill-server")


@needs(shutil.which("tmux"), ORIGINAL.exists())
async def test_the_original_terminal_ui(tmp_path: Path) -> None:
    def answer(body: Json) -> Reply:
        if "wait for me" in str(body["messages"][-1]):
            return Reply([model.delta({"role": "assistant", "content": "begun"}), STALL])
        return model.by_rule(body)

    async with (
        serving(tmp_path, answer, config=ASK, titles=False) as ostler,
        attached(ostler, tmp_path) as screen,
    ):
        await screen.type("hello there")
        await screen.until("Hello world")

        await screen.type("RUN: echo 6*7=$((6*7))")
        await screen.until("Permission required")
        await screen.press("Enter")
        await screen.until(r"6\*7=42")
        await screen.until("done")

        events = await ostler.events()
        await screen.type("wait for me")
        await screen.until("begun")
        await screen.press("Escape")
        await screen.until("again to interrupt")
        await screen.press("Escape")
        await events.idle()
        (session,) = await ostler.get("/session")
        last = (await ostler.messages(session["id"]))[-1]["info"]
        assert last["error"]["name"] == "MessageAbortedError"
