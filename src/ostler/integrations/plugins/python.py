"""Plugins in Python: a module whose functions are hooks.

::

    # .opencode/plugin/guard.py
    async def tool_execute_before(input, output):
        if ".env" in str(output["args"].get("filePath")):
            raise ValueError("not the .env file")

A module's public functions that are called like a hook (dots as underscores) are its hooks. One
that needs to know where it works, or has options, has a function ``plugin`` in place of them: it
gets a ``PluginInput`` and returns hooks by name. ``tool`` (there, or as a variable of the module)
holds tools by id: functions with type hints and a docstring; python_auth.py describes ``auth`` and
``provider``.

Hooks get ``(input, output)`` as the reference's do and change ``output``; ``event``, ``config`` and
``dispose`` have one argument or none. Those that are no coroutines run in a thread.
"""

import asyncio
import copy
import importlib
import inspect
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.integrations import modules
from ostler.integrations.plugins.names import HOOKS
from ostler.integrations.plugins.plugin import Json, PluginError, PluginRefused, PluginTool
from ostler.integrations.plugins.python_auth import PythonAuth, PythonProvider

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

FOLDERS = ("plugin", "plugins")
PREFIX = "python:"
"""What a plugin that is installed as a package is configured with: ``python:<name>``."""
GROUP = "ostler.plugins"
"""The group of entry points that names are looked up in, before modules."""
MOST_EVENTS = 1_000
"""Events that wait for a plugin; the oldest is dropped for one more."""

Function = Callable[..., Any]


class PluginInput(msgspec.Struct, frozen=True):
    """What ``plugin(input)`` gets. ``project`` as ``GET /project/current`` has it; ``client`` calls
    the HTTP API of this very server, without a port."""

    directory: str
    worktree: str
    project: Json
    server_url: str
    options: Json
    client: "httpx.AsyncClient"


class PythonPlugin:
    """``functions`` are its tools by id, as written; ``auth`` and ``providers`` are its hooks of
    these names. See ``Plugin`` for the rest."""

    def __init__(
        self,
        name: str,
        path: str,
        hooks: Mapping[str, Function],
        functions: Mapping[str, Function],
        auth: Sequence[PythonAuth] = (),
        providers: Sequence[PythonProvider] = (),
    ) -> None:
        self.name, self.path, self.functions = name, path, dict(functions)
        self.auth, self.providers = list(auth), list(providers)
        self._hooks = dict(hooks)
        self.hooks = frozenset(hooks)
        self.tools: Sequence[PluginTool] = ()
        self._events: deque[Json] = deque(maxlen=MOST_EVENTS)
        self._listening: asyncio.Task[None] | None = None

    async def call(self, hook: str, input: Json, output: Json) -> Json:
        changed = copy.deepcopy(output)
        arguments = (changed,) if hook == "config" else (copy.deepcopy(input), changed)
        await self._run(hook, *arguments)
        return changed

    async def _run(self, hook: str, *arguments: Any) -> None:
        """Raises PluginRefused with what the hook raised."""
        function = self._hooks[hook]
        try:
            if inspect.iscoroutinefunction(function):
                await function(*arguments)
            else:
                answer = await asyncio.to_thread(function, *arguments)
                if inspect.isawaitable(answer):
                    await answer
        except (Exception, SystemExit) as e:  # a plugin's exit is not the server's
            line, message = modules.where(e, self.path)
            log.warning("plugin %s: %s failed at line %d: %s", self.name, hook, line, message)
            raise PluginRefused(str(e) or message) from None

    def tell(self, event: Json) -> None:
        self._events.append(event)
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while self._events:
            try:
                await self._run("event", {"event": self._events.popleft()})
            except PluginRefused:
                pass  # said in the log; an event of its own would come back here

    async def close(self) -> None:
        if self._listening is not None:
            await asyncio.gather(self._listening, return_exceptions=True)
        if "dispose" in self._hooks:
            try:
                await self._run("dispose")
            except PluginRefused:
                pass


def load(name: str, input: Callable[[], PluginInput]) -> PythonPlugin:
    """The plugin of a file, or of ``python:<entry point or module>``. Raises PluginError."""
    path = name
    try:
        module, path = _found(name)
        hooks = _hooks_of(module, input)
        functions = _tools_of(hooks.pop("tool", None), name)
        auth = [PythonAuth(described) for described in [hooks.pop("auth", None)] if described]
        providers = [PythonProvider(d) for d in [hooks.pop("provider", None)] if d]
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt | asyncio.CancelledError | PluginError):
            raise
        line, message = modules.where(e, path)
        place = f"{path}:{line}" if line else path
        raise PluginError(f"plugin {place} is left out: {message}") from None
    unknown = sorted(set(hooks) - set(HOOKS))
    if unknown:
        log.warning("plugin %s: no such hook: %s", name, ", ".join(unknown))
    known = {k: v for k, v in hooks.items() if k in HOOKS}
    return PythonPlugin(name, path, known, functions, auth, providers)


def _found(name: str) -> tuple[Any, str]:
    """(the module, or what an entry point names; the file it is in). Raises what importing does."""
    if not name.startswith(PREFIX):
        return modules.imported(name), name
    from importlib.metadata import entry_points

    wanted = name.removeprefix(PREFIX)
    for entry in entry_points(group=GROUP, name=wanted):
        found = entry.load()
        return found, inspect.getfile(found)
    module = importlib.import_module(wanted)
    return module, module.__file__ or wanted


def _hooks_of(found: Any, input: Callable[[], PluginInput]) -> dict[str, Any]:
    """Hooks by name, and ``tool``. Raises PluginError for something that has none."""
    factory = getattr(found, "plugin", None) if isinstance(found, ModuleType) else found
    if callable(factory):
        if inspect.iscoroutinefunction(factory):
            raise PluginError(f"plugin {found.__name__}: the function plugin must not be async")
        hooks = factory(input())
        if not isinstance(hooks, Mapping):
            raise PluginError(
                f"plugin {found.__name__}: plugin(input) must return hooks by name, a dict, "
                f"not {type(hooks).__name__}"
            )
        return dict(hooks)
    names = {hook.replace(".", "_"): hook for hook in HOOKS}
    hooks = {names[name]: value for name, value in vars(found).items() if name in names}
    others = {name: getattr(found, name, None) for name in ("tool", "auth", "provider")}
    if not hooks and not any(others.values()):
        raise PluginError(
            f"plugin {found.__name__} has no hook: name a function after one, such as "
            "tool_execute_before, or define plugin(input)"
        )
    return {**hooks, **others}


def _tools_of(tools: Any, name: str) -> dict[str, Function]:
    """Raises PluginError for anything but functions by id."""
    if not tools:
        return {}
    if not isinstance(tools, Mapping) or not all(callable(f) for f in tools.values()):
        raise PluginError(f"plugin {name}: tool must hold functions by id, a dict")
    return dict(tools)
