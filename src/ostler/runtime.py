"""The composition root: one Runtime a process, one Instance a directory, built when needed."""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ostler import __version__, ids
from ostler.config import LoadedConfig, Paths, default_paths, load, load_global, stamped
from ostler.config import agents as agent_config
from ostler.config import skills as skill_config
from ostler.config.commands import build_commands
from ostler.config.instructions import Instructions
from ostler.config.load import Stamp
from ostler.config.merge import Raw
from ostler.config.own_code import OwnCode
from ostler.config.references import reference_folders
from ostler.config.trust import Trust
from ostler.config.validate import Warning_, convert
from ostler.engine import hooks as plugin_hooks
from ostler.engine import recovery
from ostler.engine.instance import Instance, Tasks
from ostler.engine.runs import Runs
from ostler.events import Bus, Location
from ostler.integrations.lsp.servers import LanguageServers
from ostler.integrations.mcp.servers import McpServers
from ostler.integrations.plugins.hooks import HOOK_SECONDS, Hooks
from ostler.integrations.plugins.inside import App as AsgiApp
from ostler.integrations.plugins.inside import fetch as fetch_inside
from ostler.integrations.plugins.inside import http_client
from ostler.integrations.plugins.plugin import Fetch, HttpAnswer, HttpCall, PluginError
from ostler.integrations.plugins.python import PluginInput
from ostler.integrations.plugins.sources import PluginSource
from ostler.integrations.remote_control import RemoteControl
from ostler.integrations.terminal import Terminals
from ostler.models.catalogue import Catalogue, newest
from ostler.models.credentials import Credentials
from ostler.models.registry import Connections, Models
from ostler.permission import DEFAULT_DEADLINE, Judge, Permissions
from ostler.project.branch import BranchWatch
from ostler.project.identity import NO_WORKTREE, Identity, identify
from ostler.project.snapshot import open_snapshots
from ostler.question import Questions
from ostler.schema.config import Config, ServerConfig
from ostler.schema.errors import BadRequest, ConfigError, unknown_error
from ostler.schema.event import (
    LspUpdated,
    PermissionAsked,
    PermissionReplied,
    PermissionUpdated,
    ProjectDirectoriesUpdated,
    Properties,
    PtyCreated,
    PtyDeleted,
    PtyExited,
    PtyUpdated,
    QuestionAsked,
    QuestionRejected,
    QuestionReplied,
    QuestionUpdated,
    ServerInstanceDisposed,
    SessionErrored,
    VcsBranchUpdated,
)
from ostler.schema.part import ModelRef
from ostler.schema.permission import PermissionReply, PermissionRequest
from ostler.schema.project import GLOBAL_PROJECT, Project, ProjectTime
from ostler.schema.pty import Pty
from ostler.schema.question import QuestionAnswer, QuestionRequest
from ostler.store import Store
from ostler.tools.formatters import Formatters, configured
from ostler.tools.plugins import Plugins, Surroundings, held_back, open_plugins
from ostler.tools.registry import builtin_tools
from ostler.tools.shell import choose
from ostler.tools.truncate import clean_up

if TYPE_CHECKING:
    from ostler.integrations.plugins.host import PluginHost
    from ostler.models.replay import Tape

log = logging.getLogger(__name__)

RELOAD_SECONDS = 1.0
"""How often a directory's configuration files are looked at, while it is used."""
SKILL_SECONDS = 10.0
"""How long the skills of one URL may take to be brought."""
DEFAULT_URL = "http://localhost:4096"
"""What plugins are told where nothing listens (OpenCode 1.18)."""
MOST_INSTANCES = 64
"""Directories kept ready; one with work going on is kept in any case."""


class _ChosenModels(msgspec.Struct):
    recent: list[ModelRef] = []


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
        recovery.recover(self.store)

    def catalogue(self) -> Catalogue:
        """The providers and models that are known."""
        return newest(self.paths.cache)

    def _chosen_models(self) -> list[ModelRef]:
        """Those a person chose in OpenCode's terminal UI, newest first: it keeps them in a file."""
        try:
            with open(os.path.join(self.paths.opencode_state, "model.json"), "rb") as file:
                return msgspec.json.decode(file.read(), type=_ChosenModels).recent
        except (OSError, msgspec.DecodeError):
            return []

    def server_settings(self) -> ServerConfig:
        """``server`` of the global configuration files alone. Raises ConfigError."""
        return load_global(self.paths, self.environment).server or ServerConfig()

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
        """Remove what is old, a minute after the start and then hourly (OpenCode 1.18)."""
        await asyncio.sleep(60)
        while True:
            await self.clean_up()
            await asyncio.sleep(3600)

    async def clean_up(self) -> None:
        """Remove tool outputs and snapshots that are older than a week."""
        await asyncio.to_thread(clean_up, self.paths.tool_output)
        for instance in self.instances():
            await instance.snapshots.collect()

    # ── building an instance ─────────────────────────────────────────────────────────────────

    async def _build(self, directory: str) -> Instance:
        identity = identify(directory)
        loaded = load(directory, identity.worktree, self.paths, self.environment)
        project = self._project(identity)
        location = Location(directory, project.id)
        trust = Trust(self.paths.state, self.environment, loaded.trusts_everything())
        own_code = OwnCode(_root(directory, identity), trust, loaded)
        plugins = await self._plugins(directory, identity.worktree, project, loaded, own_code)

        def report(message: str) -> None:
            log.warning("%s", message)
            self.bus.publish(SessionErrored(error=unknown_error(message)), location)

        hooks = Hooks(
            plugins.loaded.plugins,
            report,
            _seconds(loaded.config.plugin_timeout, HOOK_SECONDS),
            plugins.loaded.close,
        )
        loaded = await _with_config_hook(loaded, hooks)
        config = loaded.config
        fetched, not_fetched = await self._fetched_skills(loaded, own_code)
        skills = skill_config.find_skills(
            directory,
            identity.worktree,
            self.paths,
            loaded.folders,
            config.skills,
            self.environment,
            fetched,
        )
        agents = agent_config.build_agents(
            config, self._surroundings(directory, identity.worktree, loaded, skills.folders)
        )
        instance = Instance(
            directory=directory,
            worktree=identity.worktree,
            project=project,
            location=location,
            config=config,
            store=self.store,
            bus=self.bus,
            models=Models(
                config,
                self.connections,
                self.environment,
                self.credentials,
                self.catalogue(),
                self._chosen_models,
                plugins.extensions(),
            ),
            permissions=self._permissions(
                location, config, lambda request: plugin_hooks.judged(instance, request)
            ),
            questions=self._questions(location, config),
            snapshots=open_snapshots(
                identity, self.paths.data, enabled=config.snapshot is not False
            ),
            instructions=Instructions(
                directory,
                identity.worktree,
                self.paths,
                config.instructions or (),
                self.environment,
                _fetch,
            ),
            agents=agents,
            default_agent=lambda: agent_config.default_agent(agents, config),
            commands=build_commands(config, skills.skills.values()),
            skills=sorted(skills.skills.values(), key=lambda s: s.name),
            tools={**builtin_tools(), **plugins.tools},
            output_dir=self.paths.tool_output,
            environment=self.environment,
            formatters=Formatters(
                configured(config.formatter),
                directory=directory,
                worktree=identity.worktree,
                environment=self.environment,
                distrust=own_code.objection,
                own=own_code.asks_for_formatters(),
            ),
            language_servers=LanguageServers(
                config.lsp,
                directory=directory,
                worktree=identity.worktree,
                environment=self.environment,
                distrust=own_code.objection,
                is_own=own_code.says_what_runs,
                changed=lambda: self.bus.publish(LspUpdated(), location),
            ),
            tasks=Tasks(),
            version=__version__,
            hooks=hooks,
            terminals=self._terminals(
                directory,
                config,
                location,
                lambda place: plugin_hooks.shell_environment(instance, place),
            ),
            remote=RemoteControl(),
            sign_ins={},
            branch=BranchWatch(
                identity.checkout,
                lambda branch: self.bus.publish(VcsBranchUpdated(branch=branch), location),
            ),
            mcp=self._mcp(directory, config, own_code, location),
            loaded=msgspec.structs.replace(
                loaded,
                warnings=[
                    *loaded.warnings,
                    *not_fetched,
                    *skills.warnings,
                    *plugins.warnings,
                ],
            ),
            own_code=own_code,
        )
        instance.runs = Runs(instance)
        hooks.follow(self.bus, location)
        for warning in plugins.loaded.warnings:
            report(warning.message)
        return instance

    async def _plugins(
        self, directory: str, worktree: str, project: Project, loaded: LoadedConfig, own: OwnCode
    ) -> Plugins:
        fetch = self._fetch_inside(directory)
        described = msgspec.to_builtins(project)

        def input(source: PluginSource) -> PluginInput:
            return PluginInput(
                directory=directory,
                worktree=worktree,
                project=described,
                server_url=self.url,
                options=source.options,
                client=http_client(fetch, directory),
            )

        def make_host() -> "PluginHost":
            from ostler.integrations.plugins.host import PluginHost

            return PluginHost(
                directory=directory,
                worktree=worktree,
                project=described,
                server_url=self.url,
                environment=self.environment,
                data=self.paths.data,
                cache=self.paths.cache,
                fetch=fetch,
            )

        surroundings = Surroundings(input, make_host, self.environment)
        return await open_plugins(loaded, own, directory, surroundings)

    async def _fetched_skills(
        self, loaded: LoadedConfig, own: OwnCode
    ) -> tuple[list[str], list[Warning_]]:
        """The folders that ``skills.urls`` were stored in, and what could not be had."""
        folders: list[str] = []
        warnings: list[Warning_] = []
        users = {
            url
            for source in loaded.sources
            if not source.project
            for url in (source.raw.get("skills") or {}).get("urls") or ()
        }
        for url in (loaded.config.skills.urls if loaded.config.skills else None) or ():
            objection = (
                None if url in users else own.objection(f"the shell lines of skills of {url}")
            )
            try:
                async with asyncio.timeout(SKILL_SECONDS):
                    if objection is None:
                        folders += await skill_config.fetch(url, self.paths.cache, _fetch)
            except (OSError, ValueError, TimeoutError) as e:
                objection = str(e) or f"not there within {SKILL_SECONDS:.0f} s"
            if objection is not None:
                warnings.append(Warning_("skills.urls", 0, f"{url}: {objection}"))
        return folders, warnings

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

    def _surroundings(
        self, directory: str, worktree: str, loaded: LoadedConfig, skill_folders: Sequence[str]
    ) -> agent_config.Surroundings:
        plans = os.path.join(self.paths.data, "plans")
        references = reference_folders(loaded, directory, self.paths.home)
        return agent_config.Surroundings(
            tool_output=self.paths.tool_output,
            tmp=self.paths.tmp,
            readable=tuple(dict.fromkeys([*skill_folders, *references.values()])),
            data_plans=plans,
            data_plans_relative=os.path.relpath(plans, worktree),
        )

    def _permissions(self, location: Location, config: Config, judge: Judge) -> Permissions:
        def asked(request: PermissionRequest) -> None:
            fields = {k: getattr(request, k) for k in request.__struct_fields__}
            self.bus.publish(PermissionAsked(**fields), location)
            self.bus.publish(PermissionUpdated(**fields), location)

        def replied(request: PermissionRequest, reply: PermissionReply) -> None:
            self.bus.publish(
                PermissionReplied(sessionID=request.sessionID, requestID=request.id, reply=reply),
                location,
            )

        return Permissions(asked, replied, _deadline(config), judge)

    def _terminals(
        self,
        directory: str,
        config: Config,
        location: Location,
        added: Callable[[str], Awaitable[Mapping[str, str]]],
    ) -> Terminals:
        def told(what: str, info: Pty) -> None:
            event: Properties
            if what == "exited":
                event = PtyExited(id=info.id, exitCode=info.exitCode or 0)
            elif what == "deleted":
                event = PtyDeleted(id=info.id)
            else:
                event = (PtyCreated if what == "created" else PtyUpdated)(info=info)
            self.bus.publish(event, location)

        shell = choose(config, self.environment, refused=())
        return Terminals(directory, shell, self.environment, told, added)

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

    def _mcp(self, directory: str, config: Config, own: OwnCode, location: Location) -> McpServers:
        timeout = config.experimental.mcp_timeout if config.experimental else None
        return McpServers(
            config.mcp or {},
            directory=directory,
            environment=self.environment,
            version=__version__,
            data=self.paths.data,
            call_seconds=timeout / 1000 if timeout else None,
            held_back=own.of_server,
            tell=lambda event: self.bus.publish(event, location),
        )

    def _questions(self, location: Location, config: Config) -> Questions:
        def asked(request: QuestionRequest) -> None:
            fields = {k: getattr(request, k) for k in request.__struct_fields__}
            self.bus.publish(QuestionAsked(**fields), location)
            self.bus.publish(QuestionUpdated(**fields), location)

        def answered(request: QuestionRequest, answers: list[QuestionAnswer] | None) -> None:
            if answers is None:
                self.bus.publish(
                    QuestionRejected(sessionID=request.sessionID, requestID=request.id), location
                )
            else:
                self.bus.publish(
                    QuestionReplied(
                        sessionID=request.sessionID, requestID=request.id, answers=answers
                    ),
                    location,
                )

        return Questions(asked, answered, _deadline(config))


async def _with_config_hook(loaded: LoadedConfig, hooks: Hooks) -> LoadedConfig:
    """The configuration as plugins leave it (``config``)."""
    if not hooks.listens("config"):
        return loaded

    def typed(raw: Raw) -> Config:
        try:
            return convert(raw)
        except ConfigError as e:
            raise msgspec.ValidationError(str(e)) from None

    raw = await hooks.run("config", {}, loaded.raw, typed)
    return msgspec.structs.replace(loaded, raw=raw, config=typed(raw))


def _root(directory: str, identity: Identity) -> str:
    """The folder that trust is given to: the repository, or the directory where there is none."""
    return directory if identity.worktree == NO_WORKTREE else identity.worktree


def _deadline(config: Config) -> float:
    """Seconds an ask waits."""
    return _seconds(config.ask_timeout, DEFAULT_DEADLINE)


def _seconds(configured: int | None, default: float) -> float:
    """Of a deadline that opencode.json gives in ms."""
    return configured / 1000 if configured else default


async def _fetch(url: str) -> bytes:
    """A small document from the network. Raises OSError."""
    import httpx

    try:
        async with httpx.AsyncClient(follow_redirects=True) as client:
            response = await client.get(url)
            response.raise_for_status()
            return response.content
    except httpx.HTTPError as e:
        raise OSError(f"cannot fetch {url}: {e}") from None
