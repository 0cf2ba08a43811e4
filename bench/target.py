"""A program under measurement: Ostler, or the original, in a scratch home and project."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ORIGINAL = "opencode-ai"
READY_SECONDS = 60.0


@dataclass
class Target:
    """``command``: how the program is started, before its subcommand; ``imports``: it can import
    the session it has exported."""

    name: str
    command: list[str]
    imports: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def ostler() -> Target:
    script = shutil.which("ostler", path=str(Path(sys.executable).parent)) or "ostler"
    return Target("ostler", [script])


def original() -> Target | None:
    """The original, where its binary is: OPENCODE_BINARY, or node_modules of this folder."""
    named = os.environ.get("OPENCODE_BINARY")
    found = Path(__file__).parent / "node_modules/opencode-linux-x64/bin/opencode"
    path = Path(named) if named else found
    if not path.exists():
        return None
    quiet = {
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }
    return Target("opencode", [str(path)], imports=True, environment=quiet)


class Place:
    """A home folder and a git project of ``files`` small files, gone at the end."""

    def __init__(self, target: Target, model_url: str, files: int = 50) -> None:
        self.target = target
        self.root = Path(tempfile.mkdtemp(prefix="bench-"))
        self.project = self.root / "project"
        self.project.mkdir()
        for number in range(files):
            folder = self.project / f"folder{number % 10}"
            folder.mkdir(exist_ok=True)
            (folder / f"file{number}.py").write_text(f"value = {number}\n" * 40)
        identity = ["-c", "user.email=bench@example.com", "-c", "user.name=Bench"]
        for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "start"]):
            subprocess.run(["git", *command], cwd=self.project, check=True, timeout=60)
        config = self.root / "config" / "opencode"
        config.mkdir(parents=True)
        (config / "opencode.json").write_text(json.dumps(_config(model_url)))

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: os.environ[k] for k in ("PATH", "LANG", "LD_LIBRARY_PATH") if k in os.environ}
        return {
            **kept,
            "HOME": str(self.root),
            "SHELL": "/bin/bash",
            "XDG_CONFIG_HOME": str(self.root / "config"),
            "XDG_DATA_HOME": str(self.root / "data"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "XDG_STATE_HOME": str(self.root / "state"),
            **self.target.environment,
        }

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*self.target.command, *arguments],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def data_bytes(self) -> int:
        """Of the databases, with what stood in their logs moved into them."""
        files = list((self.root / "data").rglob("*.db"))
        for file in files:
            with closing(sqlite3.connect(file, timeout=10)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(file.stat().st_size for file in files)

    def close(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


class Server:
    """``serve`` of a target, ready to answer; ``seconds`` is how long that took."""

    def __init__(self, place: Place) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        began = time.perf_counter()
        self.process = place.start("serve", "--port", str(self.port))
        try:
            self._wait(began)
        except BaseException:
            self.stop()
            raise
        self.seconds = time.perf_counter() - began

    def _wait(self, began: float) -> None:
        request = b"GET /global/health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
        while time.perf_counter() - began < READY_SECONDS:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    connection.sendall(request)
                    if b" 200 " in connection.recv(64):
                        return
            except OSError:
                time.sleep(0.002)
        raise RuntimeError(f"not ready within {READY_SECONDS:.0f} s")

    def stop(self) -> None:
        end(self.process)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()


def end(process: "subprocess.Popen[bytes]") -> None:
    """What ``Place.start`` started, with its group, if it has not ended."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(10)


@contextmanager
def scripted_model() -> Iterator[str]:
    """A model server that answers at once, by the rules of ``tests.support.model_server``: where
    its API is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.model_server"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _config(model_url: str) -> dict[str, object]:
    model = {
        "name": "M1",
        "tool_call": True,
        "limit": {"context": 1_000_000, "output": 8192},
        "cost": {"input": 1, "output": 2},
    }
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Test",
        "options": {"baseURL": model_url, "apiKey": "key"},
        "models": {"m1": model},
    }
    return {
        "$schema": "https://opencode.ai/config.json",
        "model": "test/m1",
        "small_model": "test/m1",
        "provider": {"test": provider},
    }
