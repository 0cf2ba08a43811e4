"""Plugins and tools written in TypeScript or JavaScript, in one process of Node or Bun for each
directory.

The process is started when there is something to load, and again by the next call after it has
ended; what was loaded is loaded anew then. A plugin cannot take the engine down: what it throws,
prints, waits for or ends stays on its side. docs/plugins-typescript.md is for who writes one.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from ostler.integrations.plugins import packages, process, runtimes
from ostler.integrations.plugins.calls import Calls
from ostler.integrations.plugins.plugin import Fetch, Json, PluginError, PluginRefused, PluginTool
from ostler.integrations.plugins.relay import Bodies
from ostler.integrations.plugins.rpc import Peer
from ostler.integrations.plugins.signin import PluginAuth, PluginProvider, Stored
from ostler.integrations.plugins.sources import PluginSource

LOAD = 60.0
"""Seconds that loading one plugin may take."""
DISPOSE = 2.0
"""Seconds that plugins have for cleaning up."""
UNRESPONSIVE = 5.0
"""Seconds after which a host that a caller gave up on is killed if it does not answer at all."""
PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each restart within WHILE."""
WHILE = 300.0
INSTALLS = 4
"""Packages brought at the same time."""

T = TypeVar("T")

log = logging.getLogger("ostler.plugins")


class Failure(msgspec.Struct, frozen=True):
    """What could not be loaded, and why."""

    source: str
    message: str


class Loaded(msgspec.Struct, frozen=True):
    """``plugins`` are in the order they were given; ``tools`` are the tool files', each plugin has
    its own."""

    plugins: "list[HostPlugin]"
    tools: list[PluginTool]
    failures: list[Failure]


class _Entry(msgspec.Struct, frozen=True):
    """What is loaded into each process: a plugin by its number, or a file of tools."""

    source: str
    file: str
    number: int = 0
    options: Json | None = None

    @property
    def is_plugin(self) -> bool:
        return self.number > 0


class PluginHost:
    """``project`` is the reference's Project; ``server_url`` is where the API is or would be;
    ``fetch`` is its inside: plugins' ``client`` works without a port. ``data`` and ``cache`` are
    Ostler's folders."""

    def __init__(
        self,
        *,
        directory: str,
        worktree: str,
        project: Json,
        server_url: str,
        environment: Mapping[str, str],
        data: str,
        cache: str,
        fetch: Fetch,
    ) -> None:
        self.stored: dict[int, Stored] = {}
        self._begin: Json = {
            "directory": directory,
            "worktree": worktree,
            "project": project,
            "serverUrl": server_url,
        }
        self._directory, self._environment = directory, environment
        self._data, self._cache = data, cache
        self._fetch = fetch
        self._bodies = Bodies(fetch)
        self._entries: list[_Entry] = []
        self._process: process.HostProcess | None = None
        self._reviving: asyncio.Task[None] | None = None
        self._starts: deque[float] = deque(maxlen=len(PAUSES) + 1)
        self._closed = False
        self._calls = Calls(self)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._check: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process, which leads a group of its own."""
        return self._process.pid if self._process and self._process.is_alive else None

    # ── loading ───────────────────────────────────────────────────────────────────────────────

    async def start(self, plugins: Sequence[PluginSource], tool_files: Sequence[str]) -> Loaded:
        """Load plugins, in order, then tool files; called once. What cannot be loaded is a
        Failure. Raises PluginError when nothing can: no runtime, or the host's own packages cannot
        be brought."""
        loaded = Loaded([], [], [])
        wanted = [p for p in plugins if not packages.is_obsolete(p.spec)]
        if not wanted and not tool_files:
            return loaded
        self._runtime = await runtimes.find(self._environment)
        self._packages = await packages.own(self._data, self._environment)
        entries = [*await self._found(wanted, loaded), *(_Entry(f, f) for f in tool_files)]
        if entries:
            await self.peer()
        for entry in entries:
            await self._first_load(entry, loaded)
        if not self._entries:
            await self.kill("nothing is loaded")
        return loaded

    async def _found(self, plugins: Sequence[PluginSource], loaded: Loaded) -> list[_Entry]:
        limit = asyncio.Semaphore(INSTALLS)

        async def found(number: int, source: PluginSource) -> _Entry | None:
            spec = source.spec
            try:
                async with limit:
                    folder = (
                        None
                        if packages.is_path(spec)
                        else await packages.plugin(spec, self._cache, self._environment)
                    )
                file = packages.entry(spec, folder)
            except (PluginError, OSError) as e:
                loaded.failures.append(Failure(spec, str(e)))
                return None
            return _Entry(spec, file, number, source.options)

        numbered = enumerate(plugins, 1)
        entries = await asyncio.gather(*(found(n, source) for n, source in numbered))
        return [entry for entry in entries if entry]

    async def _first_load(self, entry: _Entry, loaded: Loaded) -> None:
        try:
            peer = await self.peer()
            answer = await self._load(peer, entry)
        except PluginError as e:
            log.warning("%s is left out: %s", entry.source, e)
            loaded.failures.append(Failure(entry.source, str(e)))
            self._starts.clear()  # its fault, not the next one's
            return
        self._entries.append(entry)
        if entry.is_plugin:
            tools = self._calls.tools({"plugin": entry.number}, answer["tools"])
            plugin = HostPlugin(self, entry.number, entry.source, answer, tools)
            loaded.plugins.append(plugin)
        else:
            loaded.tools.extend(self._calls.tools({"file": entry.file}, answer["tools"]))

    async def _load(self, peer: Peer, entry: _Entry) -> Json:
        """Raises PluginError; a host that did not answer is ended then."""
        params: Json = {"file": entry.file}
        if entry.is_plugin:
            params |= {"number": entry.number, "spec": entry.source, "options": entry.options}
        try:
            async with asyncio.timeout(LOAD):
                answer: Json = await peer.call(
                    "plugin.load" if entry.is_plugin else "tools.load", params
                )
                return answer
        except PluginRefused:
            raise
        except TimeoutError:
            message = f"{entry.source} was not loaded within {LOAD:.0f} s"
            await self.kill(message)
            raise PluginError(message) from None
        except PluginError as e:
            raise PluginError(f"{e} while it loaded {entry.source}") from None

    # ── the process ───────────────────────────────────────────────────────────────────────────

    async def peer(self) -> Peer:
        """The running host's, which is started where there is none. Raises PluginError."""
        if self._closed:
            raise PluginError("the plugin host is closed")
        if self._process is None or not self._process.is_alive:
            if self._reviving is None or self._reviving.done():
                # Not the caller's alone: one that gives up does not take it from the others.
                self._reviving = self.task(self._revive())
            await asyncio.shield(self._reviving)
        assert self._process
        return self._process.peer

    async def _revive(self) -> None:
        await self._pause()
        bodies = self._bodies = Bodies(self._fetch)
        started = await process.start(
            self._runtime,
            directory=self._directory,
            own_packages=self._packages,
            cache=self._cache,
            environment=self._environment,
            begin=self._begin,
            methods={
                "fetch": bodies.fetch,
                "stream.read": bodies.read,
                "tool.ask": self._calls.ask,
                "auth.stored": self._credential,
            },
            heard=self._heard,
            on_end=bodies.close,
        )
        for entry in self._entries:
            try:
                await self._load(started.peer, entry)
            except PluginRefused as e:
                log.warning("%s could not be loaded again: %s", entry.source, e)
            except BaseException:
                await started.kill("the plugin host could not be started again")
                raise
        self._process = started

    async def _pause(self) -> None:
        """Raises PluginError where it was started too often."""
        now = time.monotonic()
        recent = [start for start in self._starts if now - start < WHILE]
        if len(recent) > len(PAUSES):
            rest = WHILE - (now - recent[0])
            raise PluginError(
                f"the plugin host ended {len(recent)} times; it is started again in {rest:.0f} s"
            )
        if recent:
            await asyncio.sleep(PAUSES[len(recent) - 1])
        self._starts.append(time.monotonic())

    async def kill(self, reason: str = "the plugin host was stopped") -> None:
        """End the process at once; calls that wait raise PluginError with ``reason``. The next
        call starts it again."""
        if self._process:
            await self._process.kill(reason)

    async def restart(self) -> None:
        """Kill it and start it again. Raises PluginError."""
        await self.kill("the plugin host is started again")
        await self.peer()

    async def close(self) -> None:
        """Let plugins clean up, then end the process and everything it started."""
        self._closed = True
        if self._reviving and not self._reviving.done():
            self._reviving.cancel()
            await asyncio.wait({self._reviving})
        running = self._process
        if running and running.is_alive:
            await self._dispose(running.peer)
            await running.close()
        for task in self._tasks:
            task.cancel()

    async def _dispose(self, peer: Peer) -> None:
        calls = [
            peer.call("hook", {"plugin": e.number, "name": "dispose", "input": {}, "output": {}})
            for e in self._entries
            if e.is_plugin
        ]
        try:
            async with asyncio.timeout(DISPOSE):
                for outcome in await asyncio.gather(*calls, return_exceptions=True):
                    if isinstance(outcome, Exception):
                        log.warning("dispose hook: %s", outcome)
        except TimeoutError:
            log.warning("plugins did not clean up within %.0f s", DISPOSE)

    def tell(self, plugin: int, event: Json) -> None:
        """Hand over an event without waiting. One that is down is not started for it."""
        if self._process:
            self._process.peer.event(plugin, event)

    async def watched(self, call: Coroutine[Any, Any, T]) -> T:
        """A call that its caller may give up on: a host that hangs is found out then."""
        try:
            return await call
        except asyncio.CancelledError:
            if self._check is None or self._check.done():
                self._check = self.task(self._kill_if_hung())
            raise

    async def _kill_if_hung(self) -> None:
        running = self._process
        if not running or not running.is_alive:
            return
        try:
            async with asyncio.timeout(UNRESPONSIVE):
                await running.peer.call("ping", {})
        except TimeoutError:
            log.warning("the plugin host does not answer; it is killed")
            await running.kill("the plugin host was killed: it did not answer")
        except PluginError:
            return  # it has ended

    def task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it until it ends or the host is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _heard(self, method: str, params: Json) -> None:
        if method == "tool.show":
            self._calls.show(params)
        elif method == "stream.cancel":
            self.task(self._bodies.cancel(params["stream"]))

    async def _credential(self, params: Json) -> Json | None:
        stored = self.stored.get(params["loader"])
        return await stored() if stored else None


class HostPlugin:
    """A plugin of the host; see Plugin. ``auth`` and ``providers`` are its hooks of these names."""

    def __init__(
        self,
        host: PluginHost,
        number: int,
        source: str,
        described: Json,
        tools: list[PluginTool],
    ) -> None:
        self._host, self._number = host, number
        self.name = source
        self.hooks = frozenset[str](described["hooks"])
        self.tools = tools
        self.auth = [
            PluginAuth(host, number, index, one) for index, one in enumerate(described["auth"])
        ]
        self.providers = [
            PluginProvider(host, number, index, one)
            for index, one in enumerate(described["provider"])
        ]

    async def call(self, hook: str, input: Json, output: Json) -> Json:
        peer = await self._host.peer()
        params = {"plugin": self._number, "name": hook, "input": input, "output": output}
        try:
            changed: Json = await self._host.watched(peer.call("hook", params))
        except PluginRefused:
            raise
        except PluginError as e:
            raise PluginError(f"{self.name}: {e}, in its hook {hook}") from None
        return changed

    def tell(self, event: Json) -> None:
        if "event" in self.hooks:
            self._host.tell(self._number, event)

    async def close(self) -> None:
        """The host's ``close`` lets all plugins clean up; one alone has nothing to close."""
