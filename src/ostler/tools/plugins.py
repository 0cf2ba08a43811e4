"""The plugins of a directory, and the tools that they and files of the plugin host bring."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.config.entries import in_folders
from ostler.config.load import LoadedConfig
from ostler.config.own_code import OwnCode
from ostler.config.validate import Warning_
from ostler.integrations.plugins.load import Loaded, load
from ostler.integrations.plugins.plugin import Json, Plugin, PluginTool, ToolCall
from ostler.integrations.plugins.python import PluginInput, PythonPlugin
from ostler.integrations.plugins.sources import PluginSource, wanted
from ostler.tools import python
from ostler.tools.tool import Tool, ToolContext, ToolResult

if TYPE_CHECKING:
    from ostler.integrations.plugins.extension import PluginExtension
    from ostler.integrations.plugins.host import PluginHost

ENDINGS = (".ts", ".js")
"""Of tool files that are the host's (OpenCode 1.18)."""


class Surroundings(msgspec.Struct, frozen=True):
    """What plugins are told of where they are; ``make_host`` makes the host of those that are not
    in Python."""

    input: Callable[[PluginSource], PluginInput]
    make_host: Callable[[], "PluginHost"]
    environment: Mapping[str, str]


class Plugins(msgspec.Struct):
    """``loaded.close`` when done."""

    loaded: Loaded
    tools: dict[str, Tool]
    warnings: list[Warning_]

    def extensions(self) -> "list[PluginExtension]":
        """What they do for providers."""
        return [extension for plugin in self.loaded.plugins for extension in _extensions(plugin)]


async def open_plugins(
    loaded: LoadedConfig, own: OwnCode, directory: str, surroundings: Surroundings
) -> Plugins:
    """Those that may run, loaded; the rest is warnings."""
    sources = wanted(loaded, surroundings.environment)
    warnings: list[Warning_] = []
    python_files = list(_allowed(loaded, own, directory, (".py",), warnings))
    host_files = list(_allowed(loaded, own, directory, ENDINGS, warnings))
    trusted = [f.path for f in loaded.folders if not f.project or own.objection("") is None]
    opened = await load(
        sources,
        host_files,
        trusted,
        input=surroundings.input,
        make_host=surroundings.make_host,
        own=own,
        environment=surroundings.environment,
    )
    found = python.load(python_files)
    tools = dict(found.tools)
    tools.update({tool.id: _tool(tool) for tool in opened.tools})
    for plugin in opened.plugins:
        if isinstance(plugin, PythonPlugin):
            tools.update(_functions(plugin, warnings))
        tools.update({tool.id: _tool(tool) for tool in plugin.tools})
    return Plugins(opened, tools, [*warnings, *found.warnings, *opened.warnings])


def held_back(loaded: LoadedConfig, directory: str, environment: Mapping[str, str]) -> list[str]:
    """The project's own tool files and plugins, in words."""
    files = (
        file
        for folder in loaded.folders
        if folder.project
        for file in in_folders(folder.path, python.FOLDERS, (".py", *ENDINGS))
    )
    plugins = (source for source in wanted(loaded, environment) if source.project)
    return [
        *(f"the tool file {os.path.relpath(file, directory)}" for file in files),
        *(
            f"the plugin {os.path.relpath(p.file, directory) if p.file else p.spec}"
            for p in plugins
        ),
    ]


def _allowed(
    loaded: LoadedConfig,
    own: OwnCode,
    directory: str,
    endings: tuple[str, ...],
    warnings: list[Warning_],
) -> Iterator[str]:
    """The tool files that may run."""
    for folder in loaded.folders:
        for file in in_folders(folder.path, python.FOLDERS, endings):
            what = os.path.relpath(file, directory)
            objection = own.objection(what) if folder.project else None
            if objection is None:
                yield file
            else:
                warnings.append(Warning_(file, 0, objection))


def _functions(plugin: PythonPlugin, warnings: list[Warning_]) -> Iterator[tuple[str, Tool]]:
    for name, function in plugin.functions.items():
        try:
            yield name, python.tool_of(name, function, plugin.path)
        except Exception as e:  # hints can be anything
            message = f"plugin {plugin.name}: the tool {name} is left out: {e}"
            warnings.append(Warning_(plugin.path, 0, message))


def _tool(tool: PluginTool) -> Tool:
    async def run(arguments: Json, context: ToolContext) -> ToolResult:
        await context.host.ask(tool.id, ["*"], ["*"], {})
        call = ToolCall(
            session_id=context.session_id,
            message_id=context.message_id,
            call_id=context.call_id,
            agent=context.agent.name,
            directory=context.directory,
            worktree=context.worktree,
            ask=context.host.ask,
            show=context.host.update,
            aborted=context.aborted,
        )
        answer: Any = await python.within_deadline(tool.id, tool.run(arguments, call))
        return python.result_of(answer)

    return Tool(tool.id, tool.description, run, lambda: tool.parameters)


def _extensions(plugin: Plugin) -> "Sequence[PluginExtension]":
    if not (plugin.auth or plugin.providers):
        return []
    from ostler.integrations.plugins.extension import PluginExtension

    auths = {auth.provider: auth for auth in plugin.auth}
    providers = {provider.id: provider for provider in plugin.providers}
    return [
        PluginExtension(plugin.name, name, auths.get(name), providers.get(name))
        for name in dict.fromkeys((*auths, *providers))
    ]
