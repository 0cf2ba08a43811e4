"""A plugin host for a test: a project with plugins and tools in it, and a real runtime."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ostler.integrations.plugins.host import HostPlugin, Loaded, PluginHost
from ostler.integrations.plugins.plugin import Fetch, HttpAnswer, HttpCall, PluginTool, ToolCall
from ostler.integrations.plugins.sources import PluginSource

MODULES = Path(__file__).parent.parent / "clients" / "node_modules"
BUN = str(MODULES / "bun/bin/bun.exe")
SHARED = MODULES / ".ostler"
"""The packages of the host, brought once for all tests."""
REQUIRED = bool(os.environ.get("OSTLER_CLIENTS_REQUIRED"))
RUNTIMES = {"node": shutil.which("node") or "", "bun": BUN if os.path.exists(BUN) else ""}

Json = dict[str, Any]


def needs(*names: str) -> pytest.MarkDecorator:
    missing = not all(RUNTIMES[name] for name in names) and not REQUIRED
    return pytest.mark.skipif(missing, reason="`make clients` brings Bun; Node is the machine's")


ON_EACH = pytest.mark.parametrize(
    "runtime", [pytest.param(name, marks=needs(name)) for name in RUNTIMES]
)


class Hosted:
    """A host with what it loaded."""

    def __init__(self, host: PluginHost, loaded: Loaded, root: Path) -> None:
        self.host, self.loaded, self.root = host, loaded, root

    @property
    def plugin(self) -> HostPlugin:
        assert not self.loaded.failures, self.loaded.failures
        return self.loaded.plugins[0]

    def tool(self, name: str) -> PluginTool:
        plugins = [tool for plugin in self.loaded.plugins for tool in plugin.tools]
        return next(tool for tool in [*self.loaded.tools, *plugins] if tool.id == name)

    async def run(self, name: str, **args: Any) -> Any:
        return await self.tool(name).run(args, call())


async def _no_server(call: HttpCall) -> HttpAnswer:
    raise OSError(f"nobody answers {call.url}")


def environment(runtime: str, home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OSTLER_PLUGIN_RUNTIME": RUNTIMES[runtime],
        **more,
    }


@asynccontextmanager
async def hosting(
    runtime: str,
    root: Path,
    files: Mapping[str, str],
    *,
    plugins: Sequence[str | PluginSource] | None = None,
    tools: Sequence[str] | None = None,
    fetch: Fetch = _no_server,
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[Hosted]:
    """A started host. ``files`` are written into the project; those directly in ``plugin/`` and
    ``tool/`` are loaded where ``plugins`` and ``tools`` do not say which."""
    project = root / "project"
    for name, content in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    project.mkdir(exist_ok=True)
    if plugins is None:
        plugins = [str(project / name) for name in files if _is_in(name, "plugin")]
    if tools is None:
        tools = [str(project / name) for name in files if _is_in(name, "tool")]
    host = PluginHost(
        directory=str(project),
        worktree=str(project),
        project={"id": "a-project", "worktree": str(project)},
        server_url="http://127.0.0.1:4096",
        environment=environment(runtime, root, **(variables or {})),
        data=str(SHARED),
        cache=str(root / "cache"),
        fetch=fetch,
    )
    sources = [PluginSource(p) if isinstance(p, str) else p for p in plugins]
    try:
        yield Hosted(host, await host.start(sources, tools), project)
    finally:
        await host.close()


def _is_in(name: str, folder: str) -> bool:
    return os.path.dirname(name) == folder and name.endswith(("ts", "tsx", "js"))


class Call:
    """A tool's call: what it asked for and what it showed."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.shown: list[tuple[str | None, Json | None]] = []
        self.aborted = asyncio.Event()
        self._refusal = refusal

    async def ask(self, *request: Any) -> None:
        self.asked.append(request)
        if self._refusal:
            raise self._refusal

    def show(self, title: str | None, metadata: Json | None) -> None:
        self.shown.append((title, metadata))

    @property
    def given(self) -> ToolCall:
        return self.in_directory("/the/directory")

    def in_directory(self, directory: str) -> ToolCall:
        return ToolCall(
            session_id="ses_1",
            message_id="msg_1",
            call_id="call_1",
            agent="build",
            directory=directory,
            worktree="/the",
            ask=self.ask,
            show=self.show,
            aborted=self.aborted,
        )


def call(directory: str = "/the/directory") -> ToolCall:
    return Call().in_directory(directory)


def processes_of(group: int) -> list[int]:
    """The processes of a group that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and fields[2] == str(group) and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found
