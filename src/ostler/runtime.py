"""The composition root: one Runtime a process, one Instance a directory, built when needed."""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ostler import __version__, ids
from ostler.config import LoadedConfig, Paths, default_paths, load, load_global, stamped
from ostler.config import agents as agent_config
from ostler.config.commands import build_commands
from ostler.config.instructions import Instructions
from ostler.config.load import Stamp
from ostler.config.own_code import OwnCode
from ostler.config.skills import find_skills
from ostler.config.trust import Trust
from ostler.config.validate import Warning_
from ostler.engine import recovery
from ostler.engine.instance import Hooks, Instance, Tasks
from ostler.engine.runs import Runs
from ostler.events import Bus, Location
from ostler.integrations.lsp.servers import LanguageServers
from ostler.integrations.mcp.servers import McpServers
from ostler.integrations.remote_control import RemoteControl
from ostler.integrations.terminal import Terminals
from ostler.models.catalogue import Catalogue, newest
from ostler.models.credentials import Credentials
from ostler.models.registry import Connections, Models
from ostler.permission import DEFAULT_DEADLINE, Permissions
from ostler.project.branch import BranchWatch
from ostler.project.identity import NO_WORKTREE, Identity, identify
from ostler.project.snapshot import open_snapshots
from ostler.question import Questions
from ostler.schema.config import Config, ReferenceConfig, ServerConfig
from ostler.schema.errors import BadRequest, ConfigError
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
    VcsBranchUpdated,
)
from ostler.schema.part import ModelRef
from ostler.schema.permission import PermissionReply, PermissionRequest
from ostler.schema.project import GLOBAL_PROJECT, Project, ProjectTime
from ostler.schema.pty import Pty
from ostler.schema.question import QuestionAnswer, QuestionRequest
from ostler.store import Store
from ostler.tools import python as python_tools
from ostler.tools.formatters import Formatters, configured
from ostler.tools.registry import builtin_tools
from ostler.tools.shell import choose
from ostler.tools.truncate import clean_up

if TYPE_CHECKING:
    from ostler.models.replay import Tape

log = logging.getLogger(__name__)

RELOAD_SECONDS = 1.0
"""How often a directory's configuration files are looked at, while it is used."""
MOST_INSTANCES = 64
"""Directories kept ready; one with work going on is kept in any case."""


class _ChosenModels(msgspec.Struct):
    recent: list[ModelRef] = []


class Runtime:
    """``directory`` is the one of requests that name none; ``tape`` records what models say, or
    plays it back (models/replay.py). Close it when done."""

    def __init__(
        self,
        directory: str | None = None,
        paths: Paths | None = None,
        environment: Mapping[str, str] | None = None,
        tape: "Tape | None" = None,
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
                found = self._instances[path] = self._build(path)
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

    def _build(self, directory: str) -> Instance:
        identity = identify(directory)
        loaded = load(directory, identity.worktree, self.paths, self.environment)
        config = loaded.config
        project = self._project(identity)
        location = Location(directory, project.id)
        skills = find_skills(
            directory,
            identity.worktree,
            self.paths,
            loaded.folders,
            config.skills,
            self.environment,
        )
        agents = agent_config.build_agents(
            config, self._surroundings(identity.worktree, config, skills.folders)
        )
        trust = Trust(self.paths.state, self.environment, loaded.trusts_everything())
        own_code = OwnCode(_root(directory, identity), trust, loaded)
        own_tools = self._own_tools(directory, loaded, own_code)
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
            ),
            permissions=self._permissions(location, config),
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
            tools={**builtin_tools(), **own_tools.tools},
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
            hooks=Hooks(),
            terminals=self._terminals(directory, config, location),
            remote=RemoteControl(),
            sign_ins={},
            branch=BranchWatch(
                identity.checkout,
                lambda branch: self.bus.publish(VcsBranchUpdated(branch=branch), location),
            ),
            mcp=self._mcp(directory, config, own_code, location),
            loaded=msgspec.structs.replace(
                loaded, warnings=[*loaded.warnings, *skills.warnings, *own_tools.warnings]
            ),
            own_code=own_code,
        )
        instance.runs = Runs(instance)
        return instance

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
        self, worktree: str, config: Config, skill_folders: Sequence[str]
    ) -> agent_config.Surroundings:
        plans = os.path.join(self.paths.data, "plans")
        return agent_config.Surroundings(
            tool_output=self.paths.tool_output,
            tmp=self.paths.tmp,
            readable=agent_config.readable_folders(list(skill_folders), _references(config)),
            data_plans=plans,
            data_plans_relative=os.path.relpath(plans, worktree),
        )

    def _permissions(self, location: Location, config: Config) -> Permissions:
        def asked(request: PermissionRequest) -> None:
            fields = {k: getattr(request, k) for k in request.__struct_fields__}
            self.bus.publish(PermissionAsked(**fields), location)
            self.bus.publish(PermissionUpdated(**fields), location)

        def replied(request: PermissionRequest, reply: PermissionReply) -> None:
            self.bus.publish(
                PermissionReplied(sessionID=request.sessionID, requestID=request.id, reply=reply),
                location,
            )

        return Permissions(asked, replied, _deadline(config))

    def _terminals(self, directory: str, config: Config, location: Location) -> Terminals:
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
        return Terminals(directory, shell, self.environment, told)

    def _own_tools(self, directory: str, loaded: LoadedConfig, own: OwnCode) -> python_tools.Found:
        """The tools that the user, and a trusted project, wrote in Python."""
        allowed: list[str] = []
        held: list[Warning_] = []
        for folder in loaded.folders:
            for file in python_tools.files(folder.path):
                objection = (
                    own.objection(os.path.relpath(file, directory)) if folder.project else None
                )
                if objection is None:
                    allowed.append(file)
                else:
                    held.append(Warning_(file, 0, objection))
        found = python_tools.load(allowed)
        return msgspec.structs.replace(found, warnings=[*held, *found.warnings])

    def held_back(self, instance: Instance) -> list[str]:
        """What of a project's own is not run until the project is trusted."""
        own = instance.own_code
        if own.objection("") is None:
            return []
        return [
            *(f"MCP server {name}" for name in instance.mcp.held_back()),
            *(
                f"the tool file {os.path.relpath(file, instance.directory)}"
                for folder in instance.loaded.folders
                if folder.project
                for file in python_tools.files(folder.path)
            ),
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


def _root(directory: str, identity: Identity) -> str:
    """The folder that trust is given to: the repository, or the directory where there is none."""
    return directory if identity.worktree == NO_WORKTREE else identity.worktree


def _deadline(config: Config) -> float:
    """Seconds an ask waits; ``ask_timeout`` in opencode.json is in ms."""
    return config.ask_timeout / 1000 if config.ask_timeout else DEFAULT_DEADLINE


def _references(config: Config) -> list[str]:
    entries = {**(config.reference or {}), **(config.references or {})}
    paths = [e.path if isinstance(e, ReferenceConfig) else e for e in entries.values()]
    return [p for p in paths if p and "://" not in p]


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
