"""Local programs of the plugin host: the host itself and package managers.

Each runs in a session of its own, so that it ends together with everything it started.
"""

import asyncio
import logging
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence

LINES_KEPT = 20
_LINE_KEPT = 2_000
_POLL = 0.01

log = logging.getLogger("ostler.plugins")


class Output(asyncio.Protocol):
    """What a program says: into the log, the last lines kept to be put behind an error."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._rest = b""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LINE_KEPT:]
        for line in lines:
            text = line.decode("utf-8", "replace")[:_LINE_KEPT]
            self._lines.append(text)
            log.debug("%s: %s", self._name, text)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    def text(self) -> str:
        lines = [*self._lines, self._rest.decode("utf-8", "replace")]
        return "\n".join(line for line in lines if line.strip())


class Program:
    """A running program and its group."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Output) -> None:
        self._process, self.output = process, output
        self._transport: asyncio.BaseTransport | None = None
        self.exited = _exit_of(process)

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        directory: str,
        environment: Mapping[str, str],
        name: str,
        descriptors: Sequence[int] = (),
    ) -> "Program":
        """``descriptors`` stay open in it. Raises OSError when it cannot be run."""
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 -- a vfork, see tools/process.py
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=descriptors,
                start_new_session=True,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        program = cls(process, Output(name))
        program._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: program.output, os.fdopen(reading, "rb", buffering=0)
        )
        return program

    @property
    def pid(self) -> int:
        return self._process.pid

    async def exit(self, timeout: float) -> int | None:
        """Its exit status, negative for a signal; None when it still runs after ``timeout``
        seconds."""
        await asyncio.wait({self.exited}, timeout=timeout)
        return self.exited.result() if self.exited.done() else None

    async def end(self, grace: float) -> None:
        """Kill its group, after ``grace`` seconds in which it may end by itself."""
        try:
            await self.exit(grace)
        finally:
            _signal(self.pid, signal.SIGKILL)
        await self.exit(5.0)
        deadline = time.monotonic() + 1.0
        # What it started is collected by init, which tells nobody.
        while _has_group(self.pid) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_POLL)
        if self._transport:
            self._transport.close()


async def run(
    command: Sequence[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    timeout: float,
) -> tuple[int | None, str]:
    """(exit status, its last lines); the status is None when it ran for longer than ``timeout``
    seconds and was killed. Raises OSError when it cannot be run."""
    name = os.path.basename(command[0])
    program = await Program.start(command, directory=directory, environment=environment, name=name)
    try:
        status = await program.exit(timeout)
        if status is not None:
            try:
                await asyncio.wait_for(program.output.ended.wait(), 1.0)
            except TimeoutError:
                pass  # something it left behind holds its output open
        return status, program.output.text()
    finally:
        await program.end(0)


def _exit_of(process: "subprocess.Popen[bytes]") -> "asyncio.Future[int]":
    """Its exit status, once it has ended, whoever still holds its pipes."""
    loop = asyncio.get_running_loop()
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or an old one: a thread waits
        return asyncio.ensure_future(asyncio.to_thread(process.wait))
    exited: asyncio.Future[int] = loop.create_future()

    def collect() -> None:
        loop.remove_reader(handle)
        os.close(handle)
        status = process.wait()
        if not exited.done():
            exited.set_result(status)

    loop.add_reader(handle, collect)
    return exited


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return  # all gone, or what is left is not ours to end


def _has_group(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
