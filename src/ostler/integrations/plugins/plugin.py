"""What a plugin is to the engine, whatever it is written in."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from ostler.schema.errors import OstlerError

Json = dict[str, Any]


class PluginError(OstlerError):
    """A plugin failed: it raised, took too long, or its process ended. The message is for the
    person who wrote or installed it: it names the plugin."""


class PluginRefused(PluginError):
    """A hook raised on purpose or not: where the reference would stop what was about to happen
    (``tool.execute.before``), so do we. The message is the plugin's own."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a plugin's tool: where it happens and what the tool may ask of the engine.

    ``ask`` takes (permission, patterns, always, metadata) and returns when that is permitted;
    raises ToolError. ``show`` takes (title, metadata) of the running part. ``aborted`` is set when
    the turn is being aborted.
    """

    session_id: str
    message_id: str
    call_id: str
    agent: str
    directory: str
    worktree: str
    ask: Callable[[str, Sequence[str], Sequence[str], Json], Awaitable[None]]
    show: Callable[[str | None, Json | None], None]
    aborted: asyncio.Event


class PluginTool(msgspec.Struct, frozen=True, kw_only=True):
    """``parameters`` is a JSON Schema object. ``run`` answers a string or ``{output, title?,
    metadata?, attachments?}``; raises ToolError for what the model should read."""

    id: str
    description: str
    parameters: Json
    run: Callable[[Json, ToolCall], Awaitable[Any]]


class Plugin(Protocol):
    """``name`` is the package or file; ``hooks`` are the names of the hooks it has."""

    @property
    def name(self) -> str: ...
    @property
    def hooks(self) -> frozenset[str]: ...
    @property
    def tools(self) -> Sequence[PluginTool]: ...

    async def call(self, hook: str, input: Json, output: Json) -> Json:
        """Call one hook; the output as the plugin left it. Raises PluginRefused with what the hook
        raised, PluginError for all else. Has no deadline of its own."""

    def tell(self, event: Json) -> None:
        """Hand over an event (``{id, type, properties}``) without waiting."""

    async def close(self) -> None:
        """Let it clean up (the ``dispose`` hook); does not raise."""
