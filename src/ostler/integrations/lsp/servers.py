"""The language servers of one directory: each started by the first file it is for, shared by all
sessions, ended with the directory's instance."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ostler.project.boundary import inside
from ostler.schema.config import LspConfig

if TYPE_CHECKING:
    from ostler.integrations.lsp.builtin import Launch, Server
    from ostler.integrations.lsp.client import LanguageClient
    from ostler.integrations.lsp.diagnostics import Diagnostics

log = logging.getLogger("ostler.lsp")

START_SECONDS = 10.0
"""What an edit waits for a server that is starting. It goes on starting without (client.py)."""
MOST_RUNNING = 16
"""Servers at a time; the one used longest ago is ended for another."""
MOST_OTHERS = 20
"""Other files whose diagnostics come with an edit, and are stored with it."""
IDLE_SECONDS = 30 * 60.0
"""A server that nobody used for so long is ended, and started again when it is needed."""

Key = tuple[str, str]
"""(root, id)"""
State = Literal["starting", "connected", "failed"]


class ServerStatus(msgspec.Struct, frozen=True):
    """``root`` as the API shows it: relative to the directory."""

    id: str
    root: str
    is_connected: bool


class _Running(msgspec.Struct):
    """``started`` ends when the client can be used, or has failed."""

    client: "LanguageClient"
    started: "asyncio.Task[None] | None" = None
    state: State = "starting"
    used: float = 0.0


class LanguageServers:
    """``config`` is ``lsp`` of opencode.json. ``distrust`` says why the project's own code must not
    be run; None lets it. ``is_own``: the project's own configuration says what a server runs.
    ``changed`` is called when a server was connected to or lost. Close it when done."""

    def __init__(
        self,
        config: bool | Mapping[str, LspConfig] | None,
        *,
        directory: str,
        worktree: str,
        environment: Mapping[str, str],
        distrust: Callable[[str], str | None],
        is_own: Callable[[str], bool],
        changed: Callable[[], None],
    ) -> None:
        self._config, self._environment = config, environment
        self._directory, self._worktree = directory, worktree
        self._distrust, self._is_own, self._changed = distrust, is_own, changed
        self._servers: list[Server] | None = None
        self._running: dict[Key, _Running] = {}
        self._held: dict[Key, str] = {}
        self._absent: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._is_closed = False

    # ── files ────────────────────────────────────────────────────────────────────────────────

    async def edited(self, path: str) -> "Diagnostics":
        """Show a changed file to its servers and wait for what they find: in that file, and in
        MOST_OTHERS at most. Bounded in time, and never an error: servers that fail do not break an
        edit."""
        if not self._config:
            return {}
        self._tell_others(path)
        await self.show(path, settle=True)
        found = self.diagnostics()
        if not found:
            return {}
        from ostler.integrations.lsp.diagnostics import reported

        return reported(path, found, MOST_OTHERS)

    def warm(self, path: str) -> None:
        """Show a file that was read to its servers, in the background."""
        if self._config and self._wanted(path):
            self._start(self.show(path))

    def removed(self, path: str) -> None:
        """A file was deleted or moved away."""
        for client in self._connected():
            self._attempt(client, lambda c: c.remove(path))

    async def show(self, path: str, settle: bool = False, whole: bool = False) -> None:
        """Open a file in its servers, starting them; ``settle``: and wait for their diagnostics,
        ``whole`` of all files."""
        clients = await self.clients(path)
        shown = [
            (c, v) for c in clients if (v := self._attempt(c, lambda c: c.show(path))) is not None
        ]
        if settle:
            from ostler.integrations.lsp.connection import LspError

            waits = (client.settled(path, version, whole) for client, version in shown)
            for outcome in await asyncio.gather(*waits, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, LspError):
                    raise outcome

    def diagnostics(self) -> "Diagnostics":
        """What all servers have found, by file."""
        if not self._running:
            return {}
        from ostler.integrations.lsp.diagnostics import once

        found: Diagnostics = {}
        for client in self._connected():
            for path, items in client.diagnostics().items():
                found[path] = once((*found.get(path, ()), *items))
        return found

    def _tell_others(self, path: str) -> None:
        """Servers whose project a file is in want to know of it, whatever they are for."""
        for (root, _), running in self._running.items():
            if running.state == "connected" and inside(path, root, "/"):
                self._attempt(running.client, lambda c: c.watched(path))

    def _attempt(self, client: "LanguageClient", act: Callable[["LanguageClient"], Any]) -> Any:
        """None where the server is gone; ``_lost`` tells of it."""
        from ostler.integrations.lsp.connection import ServerGone

        try:
            return act(client)
        except ServerGone:
            return None

    # ── servers ──────────────────────────────────────────────────────────────────────────────

    def objection(self, path: str) -> str | None:
        """Why no server works for a file; None where one does, or could be started."""
        wanted = self._wanted(path)
        refused: str | None = None
        for server, root in wanted:
            key = (root, server.id)
            running = self._running.get(key)
            if running is not None and running.state != "failed":
                return None
            if running is None and key not in self._absent:
                launch = self._launch(server, root)
                if launch is not None and not isinstance(launch, str):
                    return None
                refused = refused or launch
        return refused or "No LSP server available for this file type."

    async def clients(self, path: str) -> "list[LanguageClient]":
        """The servers for a file, started where they were not; those that are ready within
        START_SECONDS."""
        entries = [self._entry(server, root) for server, root in self._wanted(path)]
        found = [entry for entry in entries if entry is not None]
        starting = [e.started for e in found if e.state == "starting" and e.started]
        if starting:
            await asyncio.wait(starting, timeout=START_SECONDS)
        for entry in found:
            entry.used = time.monotonic()
        return [entry.client for entry in found if entry.state == "connected"]

    def connected(self) -> "list[LanguageClient]":
        """All that run, whatever they are for."""
        return list(self._connected())

    def status(self) -> list[ServerStatus]:
        """Of those that a file has asked for and that are installed."""
        states = {
            key: entry.state == "connected"
            for key, entry in self._running.items()
            if entry.state != "starting"
        }
        states |= dict.fromkeys(self._held, False)
        return [
            ServerStatus(server_id, _relative(root, self._directory), up)
            for (root, server_id), up in states.items()
        ]

    def held_back(self) -> list[str]:
        """The servers that the project would run code of its own with, and must not: those that its
        configuration gives a command, and those that its root is marked for."""
        if not self._config:
            return []
        return [s.id for s in self._known() if self._is_for_here(s) and self._is_held(s)]

    def _is_for_here(self, server: "Server") -> bool:
        if self._is_own(server.id):
            return True
        here = os.path.join(self._directory, "x")
        root = msgspec.structs.replace(server, strict=True, widen=None)
        return root.root(here, self._directory, self._worktree) is not None

    def _is_held(self, server: "Server") -> bool:
        return isinstance(self._launch(server, self._directory), str)

    def _known(self) -> "list[Server]":
        if self._servers is None:
            from ostler.config.discover import is_set
            from ostler.integrations.lsp.builtin import configured

            ty = is_set(self._environment, "OPENCODE_EXPERIMENTAL_LSP_TY")
            self._servers = configured(self._config, ty=ty)
        return self._servers

    def _wanted(self, path: str) -> "list[tuple[Server, str]]":
        """The servers a file of the project is for, each with its root."""
        if not self._config or self._is_closed:
            return []
        if not inside(path, self._directory, self._worktree):
            return []
        for_it = (server for server in self._known() if server.takes(path))
        rooted = ((s, s.root(path, self._directory, self._worktree)) for s in for_it)
        return [(server, root) for server, root in rooted if root is not None]

    def _entry(self, server: "Server", root: str) -> _Running | None:
        key = (root, server.id)
        found = self._running.get(key)
        if found is not None or key in self._absent:
            return found
        launch = self._launch(server, root)
        if launch is None:
            self._absent.add(key)
            return None
        if isinstance(launch, str):
            if self._held.get(key) != launch:
                log.warning("%s", launch)
                self._held[key] = launch
            return None
        self._held.pop(key, None)
        return self._run(key, launch, server.environment)

    def _launch(self, server: "Server", root: str) -> "Launch | str | None":
        """What to start; None: it is not installed; text: why it must not be started. Without
        trust, whatever lies in the project is left alone: another program may do."""
        from ostler.integrations.lsp.place import Place

        environment = {**self._environment, **server.environment}
        place = Place(root, self._directory, self._worktree, environment, own_code=True)
        objection = self._distrust(f"the language server {server.id}")
        if objection is None:
            return server.launch(place)
        if not (server.runs_code or self._is_own(server.id)):
            harmless = server.launch(msgspec.structs.replace(place, own_code=False))
            if harmless is not None and not harmless.is_missing:
                return harmless
        launch = server.launch(place)
        return objection if launch is not None and not launch.is_missing else launch

    # ── a server's life ──────────────────────────────────────────────────────────────────────

    def _run(self, key: Key, launch: "Launch", environment: Mapping[str, str]) -> _Running:
        from ostler.integrations.lsp.client import LanguageClient

        self._make_room()
        client = LanguageClient(key[0], launch.settings, launch.is_clean, lambda: self._lost(key))
        running = self._running[key] = _Running(client, used=time.monotonic())
        work = self._connect(key, running, launch, {**self._environment, **environment})
        running.started = self._start(work)
        self._watch_idle()
        return running

    async def _connect(
        self, key: Key, running: _Running, launch: "Launch", environment: Mapping[str, str]
    ) -> None:
        from ostler.integrations.lsp.connection import LspError

        try:
            if launch.is_missing:
                raise LspError(f"there is no program {launch.command[0]}")
            await running.client.start(launch.command, environment)
            running.state = "connected"
        except LspError as e:
            running.state = "failed"
            log.warning("the language server %s cannot be used in %s: %s", key[1], key[0], e)
        self._changed()

    def _lost(self, key: Key) -> None:
        """A server ended by itself. It is not started again before the instance is."""
        running = self._running.get(key)
        if running is None or running.state != "connected":
            return
        running.state = "failed"
        self._start(self._bury(key, running.client))
        self._changed()

    async def _bury(self, key: Key, client: "LanguageClient") -> None:
        said = await client.last_words()
        log.warning("the language server %s in %s has ended%s", key[1], key[0], said)
        await client.close()

    def _connected(self) -> "Iterable[LanguageClient]":
        return [entry.client for entry in self._running.values() if entry.state == "connected"]

    def _make_room(self) -> None:
        alive = [(e.used, key) for key, e in self._running.items() if e.state != "failed"]
        up = [(used, key) for used, key in alive if self._running[key].state == "connected"]
        if up and len(alive) >= MOST_RUNNING:
            self._put_away(min(up)[1])

    def _watch_idle(self) -> None:
        if self._idle is None and not self._is_closed:
            self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS / 2, self._end_idle)

    def _end_idle(self) -> None:
        self._idle = None
        before = time.monotonic() - IDLE_SECONDS
        for key, entry in list(self._running.items()):
            if entry.state == "connected" and entry.used < before:
                self._put_away(key)
        if any(entry.state != "failed" for entry in self._running.values()):
            self._watch_idle()

    def _put_away(self, key: Key) -> None:
        self._start(self._running.pop(key).client.close())
        self._changed()

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End every server, with all it started."""
        self._is_closed = True
        if self._idle is not None:
            self._idle.cancel()
        running, self._running = list(self._running.values()), {}
        for entry in running:
            if entry.started is not None:
                entry.started.cancel()
        up = (entry.client for entry in running if entry.state == "connected")
        await asyncio.gather(*(client.close() for client in up))
        while self._tasks:
            await asyncio.wait(self._tasks)


def _relative(root: str, directory: str) -> str:
    """The empty text for the directory itself (OpenCode 1.18)."""
    shown = os.path.relpath(root, directory)
    return "" if shown == "." else shown
