"""Loading what a directory's configuration asks for; what fails is a warning, never more."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ostler.config.own_code import OwnCode
from ostler.config.validate import Warning_
from ostler.integrations.plugins import python
from ostler.integrations.plugins.plugin import Plugin, PluginError, PluginTool
from ostler.integrations.plugins.python import PluginInput
from ostler.integrations.plugins.sources import PluginSource

if TYPE_CHECKING:
    from ostler.integrations.plugins.host import HostPlugin, PluginHost

LOAD_SECONDS = 60.0
"""How long a plugin in Python may take to load."""

log = logging.getLogger(__name__)


class Loaded(msgspec.Struct):
    """``plugins`` in the order of their hooks; ``tools`` are those of tool files of the host."""

    plugins: list[Plugin]
    tools: list[PluginTool]
    warnings: list[Warning_]
    host: "PluginHost | None" = None

    async def close(self) -> None:
        """End the host, which lets its plugins clean up."""
        if self.host is not None:
            await self.host.close()


async def load(
    sources: Sequence[PluginSource],
    tool_files: Sequence[str],
    folders: Sequence[str],
    *,
    input: Callable[[PluginSource], PluginInput],
    make_host: Callable[[], "PluginHost"],
    own: OwnCode,
    environment: Mapping[str, str],
) -> Loaded:
    """``tool_files`` are those of the host that may run; ``folders`` are configuration folders
    whose packages may be brought. A project's own plugins are held back until it is trusted."""
    loaded = Loaded([], [], [])
    allowed = []
    for source in sources:
        held = own.of_plugin(source.name) if source.project else None
        if held is None:
            allowed.append(source)
        else:
            loaded.warnings.append(Warning_(source.name, 0, held))
    hosted = [source for source in allowed if not source.is_python]
    by_spec: dict[str, HostPlugin] = {}
    if hosted or tool_files:
        await _install(loaded, folders, environment)
        by_spec = await _hosted(loaded, hosted, tool_files, make_host())
    for source in allowed:
        if not source.is_python:
            loaded.plugins += [by_spec[source.spec]] if source.spec in by_spec else []
            continue
        try:
            loaded.plugins.append(await _python(source, input))
        except PluginError as e:
            loaded.warnings.append(Warning_(source.name, 0, str(e)))
    return loaded


async def _install(loaded: Loaded, folders: Sequence[str], environment: Mapping[str, str]) -> None:
    """What the package.json of configuration folders asks for, where that is missing."""
    from ostler.integrations.plugins import packages

    for folder in folders:
        try:
            await packages.install_folder(folder, environment)
        except PluginError as e:
            loaded.warnings.append(Warning_(folder, 0, str(e)))


async def _hosted(
    loaded: Loaded,
    sources: Sequence[PluginSource],
    tool_files: Sequence[str],
    host: "PluginHost",
) -> "dict[str, HostPlugin]":
    """The plugins of the host by what they were asked for with; its tools go into ``loaded``."""
    try:
        answer = await host.start(sources, tool_files)
    except PluginError as e:
        names = ", ".join([s.name for s in sources] or tool_files)
        loaded.warnings.append(Warning_(names, 0, f"{names}: left out: {e}"))
        await host.close()
        return {}
    loaded.host = host
    loaded.tools += answer.tools
    for failure in answer.failures:
        message = f"plugin {failure.source} is left out: {failure.message}"
        loaded.warnings.append(Warning_(failure.source, 0, message))
    return {plugin.name: plugin for plugin in answer.plugins}


async def _python(
    source: PluginSource, input: Callable[[PluginSource], PluginInput]
) -> python.PythonPlugin:
    """Raises PluginError."""
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            return await asyncio.to_thread(python.load, source.name, lambda: input(source))
    except TimeoutError:
        raise PluginError(
            f"plugin {source.name} is left out: it did not load within {LOAD_SECONDS:.0f} s"
        ) from None
