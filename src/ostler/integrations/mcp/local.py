"""A local MCP server: a process spoken to over its standard input and output, a message a line.

The official package has such a transport too, but it leaves running what a server started and did
not end, and it does not keep what a server says on standard error.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from ostler.programs import LastLines, has_group, signal_group

GRACE = 2.0
"""Seconds a server has for ending by itself, and then again after SIGTERM."""
_CHUNK = 65_536

log = logging.getLogger("ostler.mcp")


@asynccontextmanager
async def local_client(
    command: Sequence[str],
    directory: str,
    environment: Mapping[str, str],
    stderr: LastLines,
) -> AsyncIterator[Any]:
    """Run a server and yield its (read, write) streams; ``stderr`` gets what it says there, which
    tells why one did not start. At the end it and everything it started are ended. Raises OSError
    when it cannot be run."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env=dict(environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else str(e)
        raise OSError(f"cannot run {command[0]} in {directory}: {reason}") from None
    assert process.stdin
    assert process.stdout
    assert process.stderr
    heard, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, said = anyio.create_memory_object_stream[SessionMessage](0)
    pumps = [
        asyncio.create_task(_hear(process.stdout, heard)),
        asyncio.create_task(_say(said, process.stdin, heard)),
        asyncio.create_task(_overhear(process.stderr, stderr)),
    ]
    try:
        yield read, write
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
            for stream in (read, write, heard, said):
                stream.close()
            await asyncio.wait(pumps[2:], timeout=0.1)  # its last words
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)


async def _hear(stream: asyncio.StreamReader, heard: Any) -> None:
    """Messages from the server, until it closes its output."""
    rest = bytearray()
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async with heard:
            while data := await stream.read(_CHUNK):
                start = len(rest)
                rest += data
                if b"\n" not in data:
                    continue
                end = rest.rindex(b"\n", start)
                for line in bytes(rest[:end]).split(b"\n"):
                    if message := _message(line):
                        await heard.send(message)
                del rest[: end + 1]


async def _overhear(stream: asyncio.StreamReader, lines: LastLines) -> None:
    while data := await stream.read(_CHUNK):
        lines.feed(data)


def _message(line: bytes) -> SessionMessage | None:
    """None for what is no message: servers print to their output by mistake."""
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        if line.strip():
            log.info("no MCP message: %s", line[:200].decode("utf-8", "replace"))
        return None


async def _say(said: Any, stream: asyncio.StreamWriter, heard: Any) -> None:
    """Messages to the server. When it does not listen any more, it is not heard either."""
    try:
        async with said:
            async for message in said:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                stream.write(text.encode() + b"\n")
                await stream.drain()
    except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
        await heard.aclose()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close the server's input, wait, then signal its whole group, in the order of the protocol's
    rules for shutting down."""
    assert process.stdin
    process.stdin.close()
    await _wait(process)
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        signal_group(process.pid, signal_number)
        await _wait(process, gone=True)


async def _wait(process: asyncio.subprocess.Process, gone: bool = False) -> None:
    """Until the process has ended, with ``gone`` its group as well; GRACE at most."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GRACE
    while loop.time() < deadline:
        if process.returncode is not None and not (gone and has_group(process.pid)):
            return
        await asyncio.sleep(0.01)
