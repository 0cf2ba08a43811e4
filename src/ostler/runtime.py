"""The composition root: one Runtime a process, one Instance a directory, built when needed."""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from ostler import ids
from ostler.build import Shared, build
from ostler.config import Paths, default_paths, load, load_global, stamped
from ostler.config.load import Stamp
from ostler.disk import Brake
from ostler.engine import recovery
from ostler.engine.instance import Instance, Tasks
from ostler.events import Bus
from ostler.integrations.plugins.inside import App as AsgiApp
from ostler.integrations.plugins.inside import fetch as fetch_inside
from ostler.integrations.plugins.plugin import Fetch, HttpAnswer, HttpCall, PluginError
from ostler.models.catalogue import Catalogue, newest
from ostler.models.credentials import Credentials
from ostler.models.registry import Connections
from ostler.project.identity import Identity, identify
from ostler.schema.config import MEGABYTE, ServerConfig
from ostler.schema.errors import BadRequest, ConfigError, StoreFailure
from ostler.schema.event import (
    ProjectDirectoriesUpdated,
    ServerInstanceDisposed,
)
from ostler.schema.project import GLOBAL_PROJECT, Project, ProjectTime
from ostler.store import Store
from ostler.tools.plugins import held_back

if TYPE_CHECKING:
    from ostler.models.replay import Tape

log = logging.getLogger(__name__)

RELOAD_SECONDS = 1.0
"""How often a directory's configuration files are looked at, while it is used."""
DEFAULT_URL = "http://localhost:4096"
"""What plugins are told where nothing listens (OpenCode 1.18)."""
MOST_INSTANCES = 64
"""Directories kept ready; one with work going on is kept in any case."""

FIRST_SECONDS, EVERY_SECONDS = 60.0, 3_600.0
"""When a server cleans up: after its start, and then each time after so long (OpenCode 1.18)."""
BRIEFLY = 5.0
"""Seconds that each part of upkeep may take where somebody waits for the process to end."""


class Runtime:
    """``directory`` is the one of requests that name none; ``tape`` records what models say, or
    plays it back (models/replay.py); ``inside`` makes the server that plugins speak to; ``url`` is
    where the server listens, if it does. Close it when done."""

    def __init__(
        self,
        directory: str | None = None,
        paths: Paths | None = None,
        environment: Mapping[str, str] | None = None,
        tape: "Tape | None" = None,
        inside: "Callable[[Runtime], AsgiApp] | None" = None,
    ) -> None:
        self.environment = dict(os.environ if environment is None else environment)
        self.paths = paths or default_paths(self.environment)
        self.directory = os.path.abspath(directory or os.getcwd())
        self.paths.ensure()
        self.bus = Bus()
        self.store = Store(self.paths.database, self.bus)
        self.connections = Connections(tape)
        self.credentials = Credentials(self.paths.data, self.paths.opencode_data)
        self._instances: OrderedDict[str, Instance] = OrderedDict()
        self._looked_at: dict[str, float] = {}
        self._unusable: dict[str, list[Stamp]] = {}
        self._building: dict[str, asyncio.Lock] = {}
        self.tasks = Tasks()
        self.url = DEFAULT_URL
        self._inside = inside
        self._inside_app: AsgiApp | None = None
        self.store.db.when_lost(self._end_turns)
        recovery.recover(self.store)

    def _end_turns(self, failure: StoreFailure) -> None:
        for instance in self._instances.values():
            instance.disk.look_again()
            instance.runs.lose(failure)

    def catalogue(self) -> Catalogue:
        """The providers and models that are known."""
        return newest(self.paths.cache)

    def server_settings(self) -> ServerConfig:
        """``server`` of the global configuration files alone. Raises ConfigError."""
        return load_global(self.paths, self.environment).server or ServerConfig()

    @cached_property
    def disk(self) -> Brake:
        """Of the data folder, by the global configuration."""
        try:
            chosen = load_global(self.paths, self.environment).disk
        except ConfigError:
            chosen = None
        free = chosen.free if chosen else None
        return Brake((self.paths.data,), None if free is None else free * MEGABYTE)

    def start_housekeeping(self) -> None:
        """What a long-lived process does beside serving."""
        self.tasks.start(self._clean_up(), deadline=float("inf"))

    async def instance(self, directory: str | None = None) -> Instance:
        """The instance of a directory; a relative one starts at the runtime's own.

        Raises ConfigError; the load is tried again with the next call.
        """
        path = os.path.normpath(os.path.join(self.directory, directory or "."))
        if "\0" in path:
            raise BadRequest("A directory's name cannot hold a NUL character", "Query")
        found = self._instances.get(path)
        if found is not None and self._is_outdated(found):
            await self.dispose(path)
            found = None
        if found is None:
            return await self._built(path)
        self._instances.move_to_end(path)
        return found

    def _is_outdated(self, instance: Instance) -> bool:
        """Whether the directory's configuration has changed, can be used, and nothing goes on that
        a new instance would cut short. Looked at once in RELOAD_SECONDS."""
        now = time.monotonic()
        directory, loaded = instance.directory, instance.loaded
        if now < self._looked_at.get(directory, 0.0) + RELOAD_SECONDS or instance.in_use():
            return False
        self._looked_at[directory] = now
        stamps = stamped(loaded)
        if instance.own_code.is_outdated():
            return True
        if stamps in (loaded.stamps, self._unusable.get(directory)):
            return False
        try:
            load(directory, instance.worktree, self.paths, self.environment)
        except ConfigError as e:
            log.warning("the changed configuration cannot be used, the old one stays: %s", e)
            self._unusable[directory] = stamps
            return False
        return True

    async def _built(self, path: str) -> Instance:
        async with self._building.setdefault(path, asyncio.Lock()):
            found = self._instances.get(path)
            if found is None:
                found = self._instances[path] = await self._build(path)
        self._building.pop(path, None)
        await self._forget_idle()
        return found

    async def _forget_idle(self) -> None:
        """Dispose of the directories that were used longest ago, where there are too many and
        nothing goes on in them."""
        for path, instance in list(self._instances.items())[:-1]:
            if len(self._instances) <= MOST_INSTANCES:
                return
            if not instance.in_use():
                await self.dispose(path)

    async def instance_of(self, session_id: str) -> Instance:
        """The instance of a session's directory. Raises NotFound, ConfigError."""
        location = self.store.sessions.known(session_id).location
        return await self.instance(location.directory)

    def instances(self) -> list[Instance]:
        """Those in use."""
        return list(self._instances.values())

    def keep_project(self, project: Project) -> None:
        """Store a project that was changed, also for the directories in use."""
        before = self.store.projects.get(project.id)
        self.store.projects.save(project)
        moved = before is not None and before.sandboxes != project.sandboxes
        for instance in self._instances.values():
            if instance.project.id == project.id:
                instance.project = project
                if moved:
                    event = ProjectDirectoriesUpdated(projectID=project.id)
                    self.bus.publish(event, instance.location)

    def change_sandboxes(
        self, project: Project, add: str | None = None, remove: str | None = None
    ) -> None:
        """Take up a further checkout of a project, or forget one."""
        gone = os.path.realpath(remove) if remove else None
        kept = [p for p in project.sandboxes if p != add and os.path.realpath(p) != gone]
        sandboxes = [*kept, *([add] if add else [])]
        self.keep_project(msgspec.structs.replace(project, sandboxes=sandboxes))

    async def dispose(self, directory: str) -> None:
        """Abort what runs in a directory and forget its instance; the next use builds it anew."""
        instance = self._instances.pop(directory, None)
        self._looked_at.pop(directory, None)
        self._unusable.pop(directory, None)
        if instance is None:
            return
        instance.permissions.close()
        instance.questions.close()
        await instance.runs.close()
        await instance.hooks.close()
        await instance.terminals.close()
        await instance.mcp.close()
        await instance.language_servers.close()
        for started in instance.sign_ins.values():
            started.close()
        await instance.tasks.close()
        self.store.commit()
        self.bus.publish(ServerInstanceDisposed(directory=directory), instance.location)

    async def dispose_all(self) -> None:
        for directory in list(self._instances):
            await self.dispose(directory)

    async def close(self) -> None:
        await self.dispose_all()
        await self.tasks.close()
        await self.connections.close()
        self.store.close()

    async def _clean_up(self) -> None:
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.clean_up()
            except Exception:
                log.exception("cleaning up failed, and is tried again in %.0f s", EVERY_SECONDS)
            await asyncio.sleep(EVERY_SECONDS)

    async def clean_up(self) -> None:
        """See ``Upkeep``."""
        from ostler.upkeep.upkeep import Upkeep

        await Upkeep(self.paths, self.environment, self.store, self).run()

    async def clean_up_if_due(self) -> None:
        """For a process that ends soon: once a day, and not for long."""
        from ostler.upkeep.stamp import is_due

        if is_due(self.paths.state):
            from ostler.upkeep.upkeep import Upkeep

            await Upkeep(self.paths, self.environment, self.store, self, BRIEFLY).run()

    def is_busy(self, session_id: str) -> bool:
        """Whether something goes on in a session."""
        return any(i.runs.busy(session_id) for i in self._instances.values())

    def forget(self, session_id: str) -> None:
        """What is remembered of a session that is gone."""
        for instance in self._instances.values():
            instance.runs.histories.drop(session_id)

    async def _build(self, directory: str) -> Instance:
        identity = identify(directory)
        shared = Shared(
            paths=self.paths,
            environment=self.environment,
            store=self.store,
            bus=self.bus,
            connections=self.connections,
            credentials=self.credentials,
            catalogue=self.catalogue(),
            url=self.url,
            fetch=self._fetch_inside(directory),
        )
        return await build(directory, identity, self._project(identity), shared)

    def _project(self, identity: Identity) -> Project:
        """The stored project, made or brought up to date."""
        now = ids.now_ms()
        worktree = identity.worktree
        known = self.store.projects.get(identity.project_id)
        if known is None:
            known = Project(
                id=identity.project_id,
                worktree=worktree,
                vcs="git" if identity.checkout else None,
                time=ProjectTime(created=now, updated=now),
                sandboxes=[],
            )
        elif known.id == GLOBAL_PROJECT or worktree in (known.worktree, *known.sandboxes):
            return known
        else:
            known = msgspec.structs.replace(known, sandboxes=[*known.sandboxes, worktree])
        self.keep_project(known)
        return known

    def held_back(self, instance: Instance) -> list[str]:
        """What of a project's own is not run until the project is trusted."""
        own = instance.own_code
        if own.objection("") is None:
            return []
        return [
            *(f"MCP server {name}" for name in instance.mcp.held_back()),
            *held_back(instance.loaded, instance.directory, self.environment),
            *(
                f"the shell lines of /{command.name}"
                for command in instance.commands.values()
                if own.of_command(command, instance.skills)
            ),
            *(["its formatters"] if instance.formatters.own else []),
            *(f"the language server {name}" for name in instance.language_servers.held_back()),
        ]

    def _fetch_inside(self, directory: str) -> Fetch:
        """Requests of a plugin of a directory to this very server."""

        async def fetch(call: HttpCall) -> HttpAnswer:
            if self._building.get(directory):
                raise PluginError(
                    "a plugin cannot use its client while it is being loaded: use it in a hook"
                )
            if self._inside is None:
                raise PluginError("there is no server here that a plugin could speak to")
            if self._inside_app is None:
                self._inside_app = self._inside(self)
            return await fetch_inside(self._inside_app, call)

        return fetch
