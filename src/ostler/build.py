"""An Instance for a directory, out of its parts: the configuration, the plugins, which may change
it, then what works by it."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ostler import __version__
from ostler.config import LoadedConfig, Paths, load
from ostler.config import agents as agent_config
from ostler.config import skills as skill_config
from ostler.config.commands import build_commands
from ostler.config.instructions import Instructions
from ostler.config.merge import Raw
from ostler.config.own_code import OwnCode
from ostler.config.references import reference_folders
from ostler.config.skills import FoundSkills
from ostler.config.trust import Trust
from ostler.config.validate import Warning_, convert
from ostler.disk import Brake
from ostler.engine import hooks as plugin_hooks
from ostler.engine.instance import Instance, Tasks
from ostler.engine.runs import Runs
from ostler.events import Bus, Location
from ostler.integrations.lsp.servers import LanguageServers
from ostler.integrations.mcp.servers import McpServers
from ostler.integrations.plugins.hooks import HOOK_SECONDS, Hooks
from ostler.integrations.plugins.inside import http_client
from ostler.integrations.plugins.plugin import Fetch
from ostler.integrations.plugins.python import PluginInput
from ostler.integrations.plugins.sources import PluginSource
from ostler.integrations.remote_control import RemoteControl
from ostler.integrations.terminal import Terminals
from ostler.models.catalogue import Catalogue
from ostler.models.credentials import Credentials
from ostler.models.registry import Connections, Models
from ostler.permission import DEFAULT_DEADLINE, Permissions
from ostler.project.branch import BranchWatch
from ostler.project.identity import NO_WORKTREE, Identity
from ostler.project.snapshot import open_snapshots
from ostler.project.snapshot_size import snapshot_limit
from ostler.question import Questions
from ostler.schema.config import MEGABYTE, Config
from ostler.schema.errors import ConfigError, unknown_error
from ostler.schema.event import (
    LspUpdated,
    PermissionAsked,
    PermissionReplied,
    PermissionUpdated,
    Properties,
    PtyCreated,
    PtyDeleted,
    PtyExited,
    PtyUpdated,
    QuestionAsked,
    QuestionRejected,
    QuestionReplied,
    QuestionUpdated,
    SessionErrored,
    VcsBranchUpdated,
)
from ostler.schema.part import ModelRef
from ostler.schema.permission import PermissionReply, PermissionRequest
from ostler.schema.project import Project
from ostler.schema.pty import Pty
from ostler.schema.question import QuestionAnswer, QuestionRequest
from ostler.store import Store
from ostler.tools.formatters import Formatters, configured
from ostler.tools.plugins import Plugins, Surroundings, open_plugins
from ostler.tools.registry import builtin_tools
from ostler.tools.shell import choose

if TYPE_CHECKING:
    from ostler.integrations.plugins.host import PluginHost

log = logging.getLogger(__name__)

SKILL_SECONDS = 10.0
"""How long the skills of one URL may take to be brought."""


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What all directories of a process share. ``url``: where its server listens or would;
    ``fetch``: requests to that server from inside."""

    paths: Paths
    environment: dict[str, str]
    store: Store
    bus: Bus
    connections: Connections
    credentials: Credentials
    catalogue: Catalogue
    url: str
    fetch: Fetch


async def build(directory: str, identity: Identity, project: Project, shared: Shared) -> Instance:
    """Raises ConfigError; what else goes wrong is a warning of the instance."""
    loaded = load(directory, identity.worktree, shared.paths, shared.environment)
    trust = Trust(shared.paths.state, shared.environment, loaded.trusts_everything())
    own_code = OwnCode(_root(directory, identity), trust, loaded)
    building = _Building(directory, identity, project, own_code, shared)
    plugins = await building.plugins(loaded)
    try:
        return await building.instance(loaded, plugins)
    except BaseException:
        await plugins.loaded.close()
        raise


class _Building:
    def __init__(
        self,
        directory: str,
        identity: Identity,
        project: Project,
        own: OwnCode,
        shared: Shared,
    ) -> None:
        self._directory, self._identity, self._project = directory, identity, project
        self._own, self._shared = own, shared
        self._worktree = identity.worktree
        self._location = Location(directory, project.id)
        self._environment, self._paths = shared.environment, shared.paths

    def _publish(self, event: Properties) -> None:
        self._shared.bus.publish(event, self._location)

    def _report(self, message: str) -> None:
        log.warning("%s", message)
        self._publish(SessionErrored(error=unknown_error(message)))

    async def instance(self, loaded: LoadedConfig, plugins: Plugins) -> Instance:
        seconds = _seconds(loaded.config.plugin_timeout, HOOK_SECONDS)
        hooks = Hooks(plugins.loaded.plugins, self._report, seconds, plugins.loaded.close)
        loaded = await _with_config_hook(loaded, hooks)
        skills = await self._skills(loaded)
        warnings = [*loaded.warnings, *skills.warnings, *plugins.warnings]
        loaded = msgspec.structs.replace(loaded, warnings=warnings)
        instance = self._assembled(loaded, plugins, hooks, skills)
        instance.runs = Runs(instance)
        hooks.follow(self._shared.bus, self._location)
        for warning in plugins.loaded.warnings:
            self._report(warning.message)
        return instance

    def _assembled(
        self, loaded: LoadedConfig, plugins: Plugins, hooks: Hooks, skills: FoundSkills
    ) -> Instance:
        config, shared = loaded.config, self._shared
        agents = agent_config.build_agents(config, self._surroundings(loaded, skills.folders))

        async def judge(request: PermissionRequest) -> bool:
            return await plugin_hooks.judged(instance, request)

        async def shell_environment(directory: str) -> Mapping[str, str]:
            return await plugin_hooks.shell_environment(instance, directory)

        instance = Instance(
            directory=self._directory,
            worktree=self._worktree,
            project=self._project,
            location=self._location,
            config=config,
            store=shared.store,
            bus=shared.bus,
            models=Models(
                config,
                shared.connections,
                self._environment,
                shared.credentials,
                shared.catalogue,
                lambda: _chosen_models(self._paths),
                plugins.extensions(),
            ),
            permissions=self._permissions(config, judge),
            questions=self._questions(config),
            snapshots=open_snapshots(
                self._identity,
                self._paths.data,
                enabled=config.snapshot is not False,
                limit=snapshot_limit(config.disk),
            ),
            instructions=Instructions(
                self._directory,
                self._worktree,
                self._paths,
                config.instructions or (),
                self._environment,
                _fetch,
            ),
            agents=agents,
            default_agent=lambda: agent_config.default_agent(agents, config),
            commands=build_commands(config, skills.skills.values()),
            skills=sorted(skills.skills.values(), key=lambda s: s.name),
            tools={**builtin_tools(), **plugins.tools},
            output_dir=self._paths.tool_output,
            environment=self._environment,
            formatters=Formatters(
                configured(config.formatter),
                directory=self._directory,
                worktree=self._worktree,
                environment=self._environment,
                distrust=self._own.objection,
                own=self._own.asks_for_formatters(),
            ),
            language_servers=LanguageServers(
                config.lsp,
                directory=self._directory,
                worktree=self._worktree,
                environment=self._environment,
                distrust=self._own.objection,
                is_own=self._own.says_what_runs,
                changed=lambda: self._publish(LspUpdated()),
            ),
            tasks=Tasks(),
            version=__version__,
            hooks=hooks,
            terminals=self._terminals(config, shell_environment),
            remote=RemoteControl(),
            sign_ins={},
            branch=BranchWatch(
                self._identity.checkout,
                lambda branch: self._publish(VcsBranchUpdated(branch=branch)),
            ),
            mcp=self._mcp(config),
            loaded=loaded,
            own_code=self._own,
            disk=self._brake(config),
        )
        return instance

    # ── what is loaded ───────────────────────────────────────────────────────────────────────

    async def plugins(self, loaded: LoadedConfig) -> Plugins:
        shared, project = self._shared, msgspec.to_builtins(self._project)

        def input(source: PluginSource) -> PluginInput:
            return PluginInput(
                directory=self._directory,
                worktree=self._worktree,
                project=project,
                server_url=shared.url,
                options=source.options or {},
                client=http_client(shared.fetch, self._directory),
            )

        def make_host() -> "PluginHost":
            from ostler.integrations.plugins.host import PluginHost

            return PluginHost(
                directory=self._directory,
                worktree=self._worktree,
                project=project,
                server_url=shared.url,
                environment=self._environment,
                data=self._paths.data,
                cache=self._paths.cache,
                fetch=shared.fetch,
            )

        surroundings = Surroundings(input, make_host, self._environment)
        return await open_plugins(loaded, self._own, self._directory, surroundings)

    async def _skills(self, loaded: LoadedConfig) -> FoundSkills:
        folders, warnings = await self._fetched_skills(loaded)
        found = skill_config.find_skills(
            self._directory,
            self._worktree,
            self._paths,
            loaded.folders,
            loaded.config.skills,
            self._environment,
            folders,
        )
        return msgspec.structs.replace(found, warnings=[*warnings, *found.warnings])

    async def _fetched_skills(self, loaded: LoadedConfig) -> tuple[list[str], list[Warning_]]:
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
            what = f"the shell lines of skills of {url}"
            objection = None if url in users else self._own.objection(what)
            try:
                async with asyncio.timeout(SKILL_SECONDS):
                    if objection is None:
                        folders += await skill_config.fetch(url, self._paths.cache, _fetch)
            except (OSError, ValueError, TimeoutError) as e:
                objection = str(e) or f"not there within {SKILL_SECONDS:.0f} s"
            if objection is not None:
                warnings.append(Warning_("skills.urls", 0, f"{url}: {objection}"))
        return folders, warnings

    def _surroundings(
        self, loaded: LoadedConfig, skill_folders: Sequence[str]
    ) -> agent_config.Surroundings:
        plans = os.path.join(self._paths.data, "plans")
        references = reference_folders(loaded, self._directory, self._paths.home)
        return agent_config.Surroundings(
            tool_output=self._paths.tool_output,
            tmp=self._paths.tmp,
            readable=tuple(dict.fromkeys([*skill_folders, *references.values()])),
            data_plans=plans,
            data_plans_relative=os.path.relpath(plans, self._worktree),
        )

    # ── services, and what they say ──────────────────────────────────────────────────────────

    def _permissions(
        self, config: Config, judge: Callable[[PermissionRequest], Awaitable[bool]]
    ) -> Permissions:
        def asked(request: PermissionRequest) -> None:
            fields = {k: getattr(request, k) for k in request.__struct_fields__}
            self._publish(PermissionAsked(**fields))
            self._publish(PermissionUpdated(**fields))

        def replied(request: PermissionRequest, reply: PermissionReply) -> None:
            self._publish(
                PermissionReplied(sessionID=request.sessionID, requestID=request.id, reply=reply)
            )

        return Permissions(asked, replied, _deadline(config), judge)

    def _questions(self, config: Config) -> Questions:
        def asked(request: QuestionRequest) -> None:
            fields = {k: getattr(request, k) for k in request.__struct_fields__}
            self._publish(QuestionAsked(**fields))
            self._publish(QuestionUpdated(**fields))

        def answered(request: QuestionRequest, answers: list[QuestionAnswer] | None) -> None:
            ids = {"sessionID": request.sessionID, "requestID": request.id}
            if answers is None:
                self._publish(QuestionRejected(**ids))
            else:
                self._publish(QuestionReplied(**ids, answers=answers))

        return Questions(asked, answered, _deadline(config))

    def _terminals(
        self, config: Config, added: Callable[[str], Awaitable[Mapping[str, str]]]
    ) -> Terminals:
        def told(what: str, info: Pty) -> None:
            event: Properties
            if what == "exited":
                event = PtyExited(id=info.id, exitCode=info.exitCode or 0)
            elif what == "deleted":
                event = PtyDeleted(id=info.id)
            else:
                event = (PtyCreated if what == "created" else PtyUpdated)(info=info)
            self._publish(event)

        shell = choose(config, self._environment, refused=())
        return Terminals(self._directory, shell, self._environment, told, added)

    def _brake(self, config: Config) -> Brake:
        free = config.disk.free if config.disk else None
        limit = None if free is None else free * MEGABYTE
        return Brake((self._paths.data, self._directory), limit)

    def _mcp(self, config: Config) -> McpServers:
        timeout = config.experimental.mcp_timeout if config.experimental else None
        return McpServers(
            config.mcp or {},
            directory=self._directory,
            environment=self._environment,
            version=__version__,
            data=self._paths.data,
            call_seconds=timeout / 1000 if timeout else None,
            held_back=self._own.of_server,
            tell=self._publish,
        )


class _ChosenModels(msgspec.Struct):
    recent: list[ModelRef] = []


def _chosen_models(paths: Paths) -> list[ModelRef]:
    """Those a person chose in OpenCode's terminal UI, newest first: it keeps them in a file."""
    try:
        with open(os.path.join(paths.opencode_state, "model.json"), "rb") as file:
            return msgspec.json.decode(file.read(), type=_ChosenModels).recent
    except (OSError, msgspec.DecodeError):
        return []


async def _with_config_hook(loaded: LoadedConfig, hooks: Hooks) -> LoadedConfig:
    """The configuration as plugins leave it (``config``)."""
    if not hooks.listens("config"):
        return loaded

    def typed(raw: Raw) -> LoadedConfig:
        try:
            return msgspec.structs.replace(loaded, raw=raw, config=convert(raw))
        except ConfigError as e:
            raise msgspec.ValidationError(str(e)) from None

    return await hooks.run("config", {}, loaded.raw, typed)


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
