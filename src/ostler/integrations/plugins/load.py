"""Loading what a directory's configuration asks for; what fails is a warning, never more."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from ostler.config.own_code import OwnCode
from ostler.config.validate import Warning_
from ostler.integrations.plugins import python
from ostler.integrations.plugins.plugin import Plugin, PluginError
from ostler.integrations.plugins.python import PluginInput
from ostler.integrations.plugins.sources import PluginSource

LOAD_SECONDS = 60.0
"""How long a plugin may take to load."""


class Loaded(msgspec.Struct):
    """``plugins`` in the order of their hooks."""

    plugins: list[Plugin]
    warnings: list[Warning_]


async def load(
    sources: Sequence[PluginSource],
    input: Callable[[PluginSource], PluginInput],
    own: OwnCode,
) -> Loaded:
    loaded = Loaded([], [])
    for source in sources:
        held = own.of_plugin(source.name) if source.project else None
        if held is not None:
            loaded.warnings.append(Warning_(source.name, 0, held))
            continue
        try:
            loaded.plugins.append(await _python(source, input))
        except PluginError as e:
            loaded.warnings.append(Warning_(source.name, 0, str(e)))
    return loaded


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
