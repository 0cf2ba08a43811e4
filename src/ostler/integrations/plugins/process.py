"""One life of the host process: started, spoken to, ended with everything it started."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ostler.integrations.plugins import packages, program
from ostler.integrations.plugins.plugin import Json, PluginError
from ostler.integrations.plugins.rpc import Method, Peer
from ostler.integrations.plugins.runtimes import Runtime

START = 60.0
"""Seconds until it must be ready."""
GRACE = 1.0
"""Seconds it has for ending by itself once its input is closed."""

log = logging.getLogger("ostler.plugins")


class HostProcess:
    """``peer`` is spoken to; ``pid`` is its process group as well."""

    def __init__(
        self, running: program.Program, peer: Peer, on_end: Callable[[], Awaitable[None]]
    ) -> None:
        self._running, self.peer, self._on_end = running, peer, on_end
        self._watch = asyncio.create_task(self._watched())
        self._ending: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def is_alive(self) -> bool:
        return not self.peer.ended.is_set()

    async def kill(self, reason: str) -> None:
        """End it at once; calls that wait fail with ``reason``."""
        self.peer.end(reason)
        await self._end(0)

    async def close(self) -> None:
        """Let it end by itself, then make it."""
        self.peer.close_output()
        await self._end(GRACE)
        self.peer.end("the plugin host was closed")

    async def _end(self, grace: float) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self._running.end(grace))
        await asyncio.shield(self._ending)
        await asyncio.shield(self._watch)

    async def _watched(self) -> None:
        """It has ended when the process has: what it started may hold its pipes open. When it
        closes its side it soon will have."""
        gone = asyncio.ensure_future(self.peer.ended.wait())
        either: set[asyncio.Future[Any]] = {gone, self._running.exited}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        await asyncio.sleep(0)  # what it said last is read first
        self.peer.end()
        await self._on_end()
        if self._ending is None:
            self._ending = asyncio.create_task(self._running.end(0))


async def start(
    runtime: Runtime,
    *,
    directory: str,
    own_packages: str,
    cache: str,
    environment: Mapping[str, str],
    begin: Json,
    methods: Mapping[str, Method],
    heard: Callable[[str, Json], None],
    on_end: Callable[[], Awaitable[None]],
) -> HostProcess:
    """A host that is ready. ``on_end`` is awaited once it is gone. Raises PluginError."""
    ready = asyncio.Event()

    def hear(method: str, params: Json) -> None:
        if method == "ready":
            ready.set()
        else:
            heard(method, params)

    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    compiled = os.path.join(cache, "plugin-host")
    places = (str(theirs_in), str(theirs_out), own_packages, compiled, directory)
    flags = ("--no-install",) if runtime.kind == "bun" else ()
    try:
        running = await program.Program.start(
            (runtime.program, *flags, os.path.join(packages.NODE, "main.mjs"), *places),
            directory=own_packages,  # Bun would read a project's .env and bunfig.toml
            environment=_environment(runtime, own_packages, environment),
            name="plugins",
            descriptors=(theirs_in, theirs_out),
        )
    except OSError as e:
        os.close(ours_in)
        os.close(ours_out)
        raise PluginError(f"cannot run {runtime.program}: {e.strerror}") from None
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    peer = Peer(methods, hear)
    await peer.connect(ours_in, ours_out)
    host = HostProcess(running, peer, on_end)
    try:
        await _until_ready(peer, ready)
        await asyncio.wait_for(peer.call("begin", begin), START)
    except (TimeoutError, PluginError):
        await host.kill("the plugin host did not start")
        said = running.output.text()
        raise PluginError(f"the plugin host ({runtime.program}) did not start\n{said}") from None
    except BaseException:
        await host.kill("the plugin host was not waited for")
        raise
    return host


async def _until_ready(peer: Peer, ready: asyncio.Event) -> None:
    """Raises TimeoutError when it is not ready in time, PluginError when it has ended."""
    waits = [asyncio.create_task(event.wait()) for event in (ready, peer.ended)]
    try:
        await asyncio.wait(waits, timeout=START, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if peer.ended.is_set():
        raise PluginError("ended")
    if not ready.is_set():
        raise TimeoutError


def _environment(
    runtime: Runtime, own_packages: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """Bun finds there what a plugin does not bring; hooks.mjs does that for Node. The host gives
    plugins the variable back as it was."""
    variables = dict(environment)
    if runtime.kind == "bun":
        own = os.path.join(own_packages, "node_modules")
        before = environment.get("NODE_PATH", "")
        variables["NODE_PATH"] = os.pathsep.join(filter(None, (own, before)))
        variables["OSTLER_NODE_PATH"] = before
    return variables
