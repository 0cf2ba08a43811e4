"""Whether there is something to drive: the program, its server, what it is connected to."""

import asyncio
import os
import shutil
import subprocess
import time
from contextlib import suppress

from ostler.client import AsyncClient, ClientError, DeadlineExceeded, Unreachable
from ostler.control.failures import Failure
from ostler.control.reports import Check
from ostler.control.started import Started
from ostler.control.trouble import Refused, failure_of_client
from ostler.schema.base import JsonObject

BINARIES = ("ostler", "opencode")
HEALTH_SECONDS = 5.0
START_SECONDS = 30.0
VERSION_SECONDS = 20.0
POLL_SECONDS = 0.1


async def check(
    client: AsyncClient,
    started: Started,
    *,
    binary: str = "",
    start: bool = False,
    directory: str = "",
) -> Check:
    """Binary, server, providers; with ``start`` a server is started where none answers."""
    found = which(binary)
    facts: JsonObject = {"url": client.url, "binary": found, "version": await version_of(found)}
    try:
        facts["server"], facts["started"] = await _server(client, started, found, start, directory)
        running = started.find(client.url)
        facts["pid"] = running.pid if running else None
        facts["connected"] = connected = (await client.provider.list()).connected
    except Refused as refused:
        return Check(**facts, failure=refused.failure)
    except ClientError as e:
        return Check(**facts, failure=failure_of_client(e))
    if connected:
        return Check(**facts)
    return Check(
        **facts, failure=Failure("auth_failed", "no provider is connected: give the server a key")
    )


async def stop_server(client: AsyncClient, started: Started) -> Check:
    """Stop the one that the driver started; ``stopped`` False: there is none."""
    running = started.find(client.url)
    if running is None:
        return Check(url=client.url, stopped=False)
    await started.stop(running)
    return Check(url=client.url, pid=running.pid, stopped=True)


async def answers(client: AsyncClient) -> str | None:
    """The version of the server; None when there is no answer."""
    try:
        return (await client.global_.health(deadline=HEALTH_SECONDS)).version
    except ClientError:
        return None


async def _server(
    client: AsyncClient, started: Started, binary: str | None, start: bool, directory: str
) -> tuple[str, bool | None]:
    """Its version, and whether it was started just now. Raises ClientError, Refused."""
    try:
        return (await client.global_.health(deadline=HEALTH_SECONDS)).version, None
    except Unreachable:
        if not start:
            raise
    return await _start(client, started, binary, directory), True


async def _start(client: AsyncClient, started: Started, binary: str | None, directory: str) -> str:
    url = client.url
    evidence: JsonObject = {"url": url}
    if not client.is_local:
        raise _no_server(f"{url} is another machine: start it there", evidence)
    if binary is None:
        raise _no_server(f"none of {', '.join(BINARIES)} is on PATH", evidence)
    server = started.start(url, binary, directory or None)
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and started.find(url) is not None:
        with suppress(Unreachable, DeadlineExceeded):
            return (await client.global_.health(deadline=HEALTH_SECONDS)).version
        await asyncio.sleep(POLL_SECONDS)
    await started.stop(server)
    evidence.update(command=server.command, log=started.last_words())
    raise _no_server("the server did not start", evidence)


def _no_server(message: str, evidence: JsonObject) -> Refused:
    return Refused(Failure("server_unreachable", message, evidence))


def which(wanted: str) -> str | None:
    """The program: the one that is wanted, else the first that is on PATH."""
    names = (wanted,) if wanted else BINARIES
    return next((found for name in names if (found := shutil.which(name))), None)


async def version_of(binary: str | None) -> str | None:
    """What ``--version`` says."""
    if binary is None:
        return None

    def ask() -> str | None:
        try:
            done = subprocess.run(
                [binary, "--version"],
                capture_output=True,
                text=True,
                timeout=VERSION_SECONDS,
                env=os.environ,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() or None

    return await asyncio.to_thread(ask)
