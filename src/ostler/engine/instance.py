"""What one directory's engine works with: its configuration, and the services around it.

Built by ``ostler.runtime``; read by every module of the engine; changed by none, but for the
services that live in it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ostler.config import LoadedConfig
from ostler.config.own_code import OwnCode
from ostler.disk import Brake
from ostler.events import Bus, Location
from ostler.integrations.lsp.servers import LanguageServers
from ostler.integrations.mcp.servers import McpServers
from ostler.integrations.plugins.hooks import Hooks
from ostler.integrations.remote_control import RemoteControl
from ostler.integrations.terminal import Terminals
from ostler.models.registry import Models
from ostler.permission import Permissions
from ostler.project.branch import BranchWatch
from ostler.question import Questions
from ostler.schema.agent import Agent, Command, Skill
from ostler.schema.config import Config
from ostler.schema.errors import NotFound, StoreFailure
from ostler.schema.project import Project
from ostler.schema.session import SnapshotFileDiff
from ostler.store import Store
from ostler.tools.formatters import Formatters
from ostler.tools.tool import Tool

if TYPE_CHECKING:
    from ostler.engine.runs import Runs
    from ostler.models.oauth import Started


class Snapshots(Protocol):
    """The files of a directory at moments in time, by hash. Outside version control every method
    does nothing and ``track`` answers None."""

    async def track(self) -> str | None: ...

    async def changed(self, since: str, until: str | None = None) -> list[str]:
        """Absolute paths of files that differ."""

    async def diff(self, since: str, until: str | None = None) -> list[SnapshotFileDiff]: ...

    async def patch(self, since: str) -> str:
        """What changed since a snapshot, as one text of git's."""

    async def restore(self, snapshot: str) -> None: ...

    async def restore_files(self, files: Mapping[str, str]) -> None:
        """Bring each file (absolute path) back to its state in a snapshot; absent there: delete."""


class Tasks:
    """Work nobody waits for, owned so that it can be ended: each task has a deadline in seconds."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], deadline: float) -> None:
        task = asyncio.create_task(self._bounded(work, deadline))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def busy(self) -> bool:
        return bool(self._tasks)

    async def wait(self) -> None:
        """Until everything started so far has ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.wait()

    @staticmethod
    async def _bounded(work: Coroutine[Any, Any, None], deadline: float) -> None:
        try:
            async with asyncio.timeout(deadline):
                await work
        except TimeoutError:
            pass  # the deadline is the outcome
        except StoreFailure:
            pass  # who relied on it was told by the store


class Instructions(Protocol):
    """Instruction files (AGENTS.md and the like) of a directory."""

    async def system(self) -> Sequence[tuple[str, str]]:
        """(path or URL, text) of those that hold everywhere."""

    def nearby(self, path: str, shown: set[str]) -> list[tuple[str, str]]:
        """(path, text) of those that hold for one file, except ``shown``."""


class Instance(msgspec.Struct, kw_only=True, eq=False):
    """``worktree`` is the repository's root, ``/`` outside version control; ``version`` is
    Ostler's. ``agents`` in the order the API lists them; ``sign_ins`` are those a person is asked
    for, by provider; ``loaded`` is the configuration with its sources and warnings."""

    directory: str
    worktree: str
    project: Project
    location: Location
    config: Config
    store: Store
    bus: Bus
    models: Models
    permissions: Permissions
    questions: Questions
    snapshots: Snapshots
    instructions: Instructions
    agents: dict[str, Agent]
    default_agent: Callable[[], Agent]
    commands: dict[str, Command]
    skills: list[Skill]
    tools: dict[str, Tool]
    output_dir: str
    environment: dict[str, str]
    formatters: Formatters
    language_servers: LanguageServers
    tasks: Tasks
    version: str
    hooks: Hooks
    terminals: Terminals
    mcp: McpServers
    remote: RemoteControl
    branch: BranchWatch
    sign_ins: dict[str, "Started"]
    loaded: LoadedConfig
    own_code: OwnCode
    disk: Brake
    runs: "Runs" = None  # type: ignore[assignment]  # set by the runtime: runs need the instance

    def in_use(self) -> bool:
        """Whether something goes on that disposing would cut short."""
        return bool(
            self.runs.statuses()
            or self.permissions.pending()
            or self.questions.pending()
            or self.terminals.running()
            or self.tasks.busy()
        )

    def agent(self, name: str) -> Agent:
        """Raises NotFound that lists the agents there are."""
        found = self.agents.get(name)
        if found is None:
            names = ", ".join(sorted(a.name for a in self.agents.values() if not a.hidden))
            raise NotFound(f'Agent not found: "{name}". Available agents: {names}')
        return found
