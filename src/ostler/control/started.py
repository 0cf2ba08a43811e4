"""Servers that the driver started: it remembers them by process id, and stops no other."""

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ostler.programs import signal_group

STOP_SECONDS = 5.0
POLL_SECONDS = 0.05
LOG_SHOWN = 2000


class StartedServer(msgspec.Struct, frozen=True):
    """``born`` tells the process from a later one with the same id."""

    url: str
    pid: int
    born: str
    command: list[str]


class Started:
    """What is written down in ``folder``, one server for each URL."""

    def __init__(self, folder: Path) -> None:
        self._file, self.log = folder / "driver-servers.json", folder / "driver-server.log"

    def find(self, url: str) -> StartedServer | None:
        """The server there, if this driver started it and its process still runs."""
        known = self._read().get(url)
        return known if known is not None and _runs(known) else None

    def start(self, url: str, binary: str, directory: str | None) -> StartedServer:
        """Start one that lives on when this program ends. Raises OSError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        target = urlsplit(url)
        command = [binary, "serve", "--hostname", target.hostname or "", "--port", str(target.port)]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        server = StartedServer(url, process.pid, _born(process.pid), command)
        self._write({**self._read(), url: server})
        return server

    async def stop(self, server: StartedServer) -> None:
        """End it and what it started: asked first, killed when it does not go."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + STOP_SECONDS
            if _runs(server):
                signal_group(server.pid, number)
            while time.monotonic() < end:
                if not _runs(server):
                    self.forget(server)
                    return
                await asyncio.sleep(POLL_SECONDS)

    def forget(self, server: StartedServer) -> None:
        self._write({url: s for url, s in self._read().items() if s != server})

    def last_words(self) -> str:
        """The end of what the newest server printed."""
        try:
            return self.log.read_text(errors="replace")[-LOG_SHOWN:]
        except OSError:
            return ""

    def _read(self) -> dict[str, StartedServer]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, StartedServer])
        except (OSError, msgspec.DecodeError):
            return {}

    def _write(self, servers: dict[str, StartedServer]) -> None:
        fresh = self._file.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(msgspec.json.encode(servers))
        fresh.replace(self._file)


def _runs(server: StartedServer) -> bool:
    return bool(server.born) and _born(server.pid) == server.born


def _born(pid: int) -> str:
    """When a process began, in the system's words; empty when it is gone, or dead and not yet
    taken note of by its parent."""
    with suppress(ChildProcessError, OSError):
        os.waitpid(pid, os.WNOHANG)  # where it is this program's own child
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    else:
        return "" if fields[0] == "Z" else fields[19]
    told = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5
    )
    return told.stdout.strip()
