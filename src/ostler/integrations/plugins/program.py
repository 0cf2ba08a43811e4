"""Local programs of the plugin host: the host itself and package managers.

Each runs in a session of its own, so that it ends together with everything it started.
"""

import asyncio
import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from ostler.programs import LastLines, exit_of, has_group, signal_group

_POLL = 0.01

log = logging.getLogger("ostler.plugins")


class Output(asyncio.Protocol):
    """What a program says: into the log, the last lines kept to be put behind an error."""

    def __init__(self, name: str) -> None:
        self._lines = LastLines(lambda line: log.debug("%s: %s", name, line))
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._lines.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    def text(self) -> str:
        return self._lines.text()


class Program:
    """A running program and its group."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Output) -> None:
        self._process, self.output = process, output
        self._transport: asyncio.BaseTransport | None = None
        self.exited = exit_of(process)

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
            signal_group(self.pid, signal.SIGKILL)
        await self.exit(5.0)
        deadline = time.monotonic() + 1.0
        while has_group(self.pid) and time.monotonic() < deadline:  # noqa: ASYNC110
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
