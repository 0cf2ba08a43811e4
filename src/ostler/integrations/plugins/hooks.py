"""The hooks of all plugins of a directory, called in the order the plugins were loaded in.

A plugin that fails is reported and its change is left out: what was going on goes on. The exception
are hooks that judge (``judge``): there a failure means no.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from ostler.events import Batch, Bus, Location
from ostler.integrations.plugins.plugin import Json, Plugin, PluginError, PluginRefused

log = logging.getLogger(__name__)

HOOK_SECONDS = 60.0
"""How long one call of a hook may take."""
PATIENCE = 3
"""Calls in a row that may run out of time before a plugin's hook is not called any more."""
FAREWELL_SECONDS = 5.0
"""How long plugins may take to hear of the last events and to clean up."""

T = TypeVar("T")
Report = Callable[[str], None]


class Hooks:
    """``report`` is told, in a sentence, what failed; ``after`` closes what the plugins run in."""

    def __init__(
        self,
        plugins: Sequence[Plugin] = (),
        report: Report = log.warning,
        deadline: float = HOOK_SECONDS,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.plugins = list(plugins)
        self._report, self._deadline, self._after = report, deadline, after
        self._late: dict[tuple[int, str], int] = {}
        self._pump: asyncio.Task[None] | None = None

    def listens(self, hook: str) -> bool:
        """Whether anybody has the hook: the price of one that nobody has."""
        return any(hook in plugin.hooks for plugin in self.plugins)

    async def run(
        self,
        hook: str,
        input: Json,
        output: Json,
        as_type: Callable[[Json], T],
        final: Callable[[Json], bool] = lambda _output: False,
    ) -> T:
        """The output as the plugins leave it. ``as_type`` raises ValidationError for an output that
        cannot be used: a plugin's that does not pass is left out. Nobody is called after an output
        that is ``final``. Raises nothing, but what ``as_type`` makes of an ``output`` that stays as
        it was given."""
        left: list[T] = []
        for index, plugin in enumerate(self.plugins):
            if hook not in plugin.hooks or self._given_up(index, hook):
                continue
            try:
                changed = await self._call(index, plugin, hook, input, output)
                left = [as_type(changed)]
            except PluginRefused as e:
                self._report(f"plugin {plugin.name}: {hook} failed: {e}")
            except PluginError as e:
                self._report(str(e))
            except msgspec.ValidationError as e:
                self._report(f"plugin {plugin.name}: {hook} left what cannot be used: {e}")
            else:
                output = changed
                if final(output):
                    break
        return left[0] if left else as_type(output)

    async def judge(self, hook: str, input: Json, output: Json) -> Json:
        """As ``run``, but the first failure is raised. Raises PluginRefused with what a hook
        raised, PluginError for one that gave no answer."""
        for index, plugin in enumerate(self.plugins):
            if hook in plugin.hooks:
                try:
                    output = await self._call(index, plugin, hook, input, output)
                except PluginRefused:
                    raise
                except PluginError as e:
                    self._report(str(e))
                    raise
        return output

    async def _call(self, index: int, plugin: Plugin, hook: str, input: Json, output: Json) -> Json:
        try:
            async with asyncio.timeout(self._deadline):
                changed = await plugin.call(hook, input, output)
        except TimeoutError:
            late = self._late[index, hook] = self._late.get((index, hook), 0) + 1
            more = "; it is not called any more" if late == PATIENCE else ""
            raise PluginError(
                f"plugin {plugin.name}: {hook} did not answer within {self._deadline:.0f} s{more}"
            ) from None
        self._late.pop((index, hook), None)
        return changed

    def _given_up(self, index: int, hook: str) -> bool:
        return self._late.get((index, hook), 0) >= PATIENCE

    # ── events ───────────────────────────────────────────────────────────────────────────────

    def follow(self, bus: Bus, location: Location) -> None:
        """Hand the directory's events to the plugins that have the ``event`` hook, from now on."""
        listening = [plugin for plugin in self.plugins if "event" in plugin.hooks]
        if listening:
            self._pump = asyncio.create_task(self._hand_on(bus, location, listening))

    async def _hand_on(self, bus: Bus, location: Location, listening: Sequence[Plugin]) -> None:
        with bus.subscribe(location.directory) as subscription:
            try:
                while True:
                    self._tell(await subscription.next(), listening)
            except asyncio.CancelledError:
                self._tell(subscription.take(), listening)  # what came last is often what counts

    @staticmethod
    def _tell(batch: Batch, listening: Sequence[Plugin]) -> None:
        for event in batch.events:
            decoded = msgspec.json.decode(event.json)
            for plugin in listening:
                plugin.tell(decoded)

    async def close(self) -> None:
        """Let the plugins hear the last events, then clean up."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        if self.plugins:
            try:
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await asyncio.gather(*(p.close() for p in self.plugins))
            except TimeoutError:
                log.warning("plugins did not clean up within %.0f s", FAREWELL_SECONDS)
        if self._after is not None:
            await self._after()
