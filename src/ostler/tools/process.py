"""Running a command: its output as it comes, a deadline, and an end for all it started.

A command runs in a session of its own, so that it and its children can be killed as one group.
Standard output and error share a pipe, which keeps their order.
"""

import asyncio
import os
import signal
import subprocess
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from ostler.programs import exit_of, signal_group

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL when a command runs out of time."""
ABORT_GRACE = 0.2
"""Seconds between SIGTERM and SIGKILL when the turn is aborted."""
LINGER = 0.1
"""Seconds to wait for more output once the command itself has ended."""
MAX_LINGERING = 64
"""Background processes whose output is read on, into nothing."""

_CHUNK = 64 * 1024
_MAX_DRAIN = 1 << 20


class Finished(msgspec.Struct, frozen=True):
    """How a command ended. ``exit`` is its status, negative for a signal; None when it was
    stopped."""

    ending: Literal["exit", "timeout", "abort"]
    exit: int | None


async def run(
    command: Sequence[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    on_output: Callable[[bytes], None],
    timeout: float | None = None,
    aborted: asyncio.Event | None = None,
) -> Finished:
    """Run a command to its end, or to ``timeout`` seconds, or until ``aborted`` is set.

    ``on_output`` gets every chunk. What the command left running in the background goes on
    undisturbed if it ended by itself, and is killed with it otherwise, also when the caller is
    cancelled. Raises OSError when the command cannot be started.
    """
    process, pipe = _start(command, directory, environment, on_output)
    exited = exit_of(process)
    stop = asyncio.ensure_future(aborted.wait()) if aborted is not None else None
    try:
        waiting: set[asyncio.Future[Any]] = {exited} if stop is None else {exited, stop}
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if exited.done():
            await pipe.finish()
            return Finished("exit", exited.result())
        was_aborted = stop is not None and stop.done()
        await _stop(process.pid, exited, pipe, ABORT_GRACE if was_aborted else GRACE)
        return Finished("abort" if was_aborted else "timeout", None)
    except asyncio.CancelledError:
        await _stop(process.pid, exited, pipe, ABORT_GRACE)
        raise
    finally:
        if stop is not None:
            stop.cancel()
        if not exited.done():
            signal_group(process.pid, signal.SIGKILL)  # its exit is still collected when it comes
        pipe.leave()


def _start(
    command: Sequence[str],
    directory: str,
    environment: Mapping[str, str],
    on_output: Callable[[bytes], None],
) -> tuple["subprocess.Popen[bytes]", "_Pipe"]:
    """Popen forks without copying page tables (vfork): 1 ms, where the event loops' own take 2 to 4
    and more as the process grows."""
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return process, _Pipe(reading, on_output)


async def _stop(group: int, exited: "asyncio.Future[int]", pipe: "_Pipe", grace: float) -> None:
    """Ask every process of the group to end, then make it. The pipe closes when the last one that
    could write to it is gone."""
    signal_group(group, signal.SIGTERM)
    gone: set[asyncio.Future[Any]] = {exited, pipe.ended}
    try:
        await asyncio.wait(gone, timeout=grace)
    finally:
        # Whoever is left, with or without the pipe: an unwilling child, or one that redirected.
        signal_group(group, signal.SIGKILL)
    await asyncio.wait(gone, timeout=1.0)
    pipe.drain()


class _Pipe:
    """The reading end of a command's output, read whenever there is something."""

    def __init__(self, descriptor: int, on_output: Callable[[bytes], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor, self._on_output = descriptor, on_output
        self.ended: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    async def finish(self) -> None:
        """Take what was written before the command ended, and what its children still have to say
        in the next moment."""
        self.drain()
        if not self.ended.done():
            await asyncio.wait({self.ended}, timeout=LINGER)

    def drain(self) -> None:
        """Take what is in the pipe now; bounded, as somebody may be filling it."""
        for _ in range(_MAX_DRAIN // _CHUNK):
            if self.ended.done() or not self._read():
                return

    def leave(self) -> None:
        """Stop listening. A background process that still has the pipe is read on into nothing:
        it would die of a closed one."""
        if not self.ended.done():
            self.ended.cancel()
            _read_on(self._loop, self._descriptor)

    def _read(self) -> bool:
        """Whether there was anything."""
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._on_output(data)
            return True
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.ended.set_result(None)
        return False


_lingering: OrderedDict[int, asyncio.AbstractEventLoop] = OrderedDict()


def _read_on(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    def discard() -> None:
        try:
            if os.read(descriptor, _CHUNK):
                return
        except BlockingIOError:
            return
        _close(descriptor)

    loop.add_reader(descriptor, discard)
    _lingering[descriptor] = loop
    for other, its_loop in list(_lingering.items()):
        if its_loop.is_closed() or len(_lingering) > MAX_LINGERING:
            _close(other)


def _close(descriptor: int) -> None:
    loop = _lingering.pop(descriptor)
    if not loop.is_closed():
        loop.remove_reader(descriptor)
    os.close(descriptor)
