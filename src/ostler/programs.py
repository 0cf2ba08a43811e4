"""Programs that are started in a session of their own: when one has ended, how all that it started
is ended with it, and what it said last."""

import asyncio
import os
import subprocess
from collections import deque
from collections.abc import Callable

LINES_KEPT = 20
_LINE_KEPT = 2_000


def exit_of(process: "subprocess.Popen[bytes]") -> "asyncio.Future[int]":
    """Its exit status, negative for a signal, once it has ended, whoever still holds its pipes."""
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


def signal_group(group: int, number: int) -> None:
    """Signal a program (by its process id) and all that it started."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return  # all gone, or what is left is not ours to end


def has_group(group: int) -> bool:
    """Whether anything of it is left. What it started is collected by init, which tells nobody."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


class LastLines:
    """The last lines a program wrote, to be put behind an error; ``each`` is told every line."""

    def __init__(self, each: Callable[[str], None] | None = None) -> None:
        self._each = each
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LINE_KEPT:]
        for line in lines:
            text = line.decode("utf-8", "replace")[:_LINE_KEPT]
            self._lines.append(text)
            if self._each is not None:
                self._each(text)

    def text(self) -> str:
        """Those that are not blank, a line each; empty where nothing was written."""
        lines = [*self._lines, self._rest.decode("utf-8", "replace")]
        return "\n".join(line for line in lines if line.strip())
