"""The command line as a process of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.support.product import DEADLINE, environment, with_model
from tests.support.repository import make_repository

SOURCES = str(Path(__file__).parents[2] / "src")


class Done(msgspec.Struct):
    """How a command ended."""

    code: int
    out: str
    err: str

    def lines(self) -> list[Any]:
        """Standard output as JSON, a value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Place:
    """A home and a project to run commands in."""

    def __init__(self, tmp_path: Path, files: Mapping[str, str] | None = None) -> None:
        self.home, self.root = tmp_path / "home", tmp_path / "project"
        (self.home / "tmp").mkdir(parents=True)
        make_repository(self.root, files or {"README.md": "A project.\n"})

    def configure(self, model_url: str, config: Mapping[str, Any] | None = None) -> None:
        """Write the global opencode.json: the scripted model is the default."""
        folder = self.home / ".config/opencode"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "opencode.json").write_text(json.dumps(with_model(model_url, config)))

    async def start(
        self, *arguments: str, variables: Mapping[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ostler",
            *arguments,
            cwd=self.root,
            env={**environment(self.home), "PYTHONPATH": SOURCES, **(variables or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    async def ostler(
        self, *arguments: str, stdin: str = "", variables: Mapping[str, str] | None = None
    ) -> Done:
        """Run a command to its end."""
        process = await self.start(*arguments, variables=variables)
        try:
            async with asyncio.timeout(DEADLINE * 2):
                out, err = await process.communicate(stdin.encode())
        finally:
            kill(process)
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def serve(self, *arguments: str, **variables: str) -> AsyncIterator["Served"]:
        """A server process on a free port; killed at the end if it is still there."""
        port = str(free_port())
        process = await self.start("serve", "--port", port, *arguments, variables=variables)
        try:
            assert process.stdout is not None
            async with asyncio.timeout(DEADLINE):
                while b"listening on" not in (line := await process.stdout.readline()):
                    assert line, (await process.communicate())[1].decode()
            url = line.decode().split()[-1]
            async with httpx.AsyncClient(base_url=url, timeout=DEADLINE, trust_env=False) as http:
                yield Served(process, http)
        finally:
            kill(process)
            await process.wait()


class Served(msgspec.Struct):
    process: asyncio.subprocess.Process
    http: httpx.AsyncClient

    async def get(self, path: str) -> Any:
        return (await self.http.get(path)).raise_for_status().json()

    async def post(self, path: str, body: Any = None) -> Any:
        answer = (await self.http.post(path, json=body or {})).raise_for_status()
        return answer.json() if answer.content else None

    async def kill(self) -> None:
        """Like a power cut, for this process."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


def kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
