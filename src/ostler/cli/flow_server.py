"""The server of a flow that names none: one that is started for it, and ended with it."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ostler.programs import signal_group

START_SECONDS = 30.0


@asynccontextmanager
async def served(urls: Sequence[str], directory: str) -> AsyncIterator[list[str]]:
    """``urls``, or that of a server of our own. Raises Stop when it does not start."""
    if urls:
        yield [url.rstrip("/") for url in urls]
        return
    process = subprocess.Popen(  # noqa: ASYNC220 -- a vfork, once
        [
            *(sys.executable, "-m", "ostler", "serve", "--until-stdin-ends"),
            *("--port", str(_free_port())),
        ],
        cwd=directory,
        stdin=subprocess.PIPE,  # which ends with this process, however it ends
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield [await asyncio.to_thread(_url_of, process)]
    finally:
        signal_group(process.pid, signal.SIGTERM)
        await asyncio.to_thread(process.wait, 10)


def _url_of(process: "subprocess.Popen[bytes]") -> str:
    """What the server says it listens at."""
    from ostler.cli.failures import UNEXPECTED, Stop

    assert process.stdout is not None
    for line in process.stdout:
        _, found, url = line.decode().strip().partition("listening on ")
        if found:
            return url
    raise Stop(f"the server did not start: exit {process.wait(START_SECONDS)}", UNEXPECTED)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def still_there(urls: Sequence[str]) -> list[str]:
    """Those that answer."""
    from ostler.client import AsyncClient, ClientError

    found = []
    for url in urls:
        async with AsyncClient(url) as client:
            try:
                await client.global_.health(deadline=5.0)
                found.append(url)
            except ClientError:
                continue
    return found
