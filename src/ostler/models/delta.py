"""What comes back from a model, as typed increments in the order the provider sent them."""

from typing import Any

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the provider counts them: ``input`` includes cache reads and writes, ``output``
    includes ``reasoning``. ``total`` is None when the provider gave none."""

    input: int = 0
    output: int = 0
    reasoning: int = 0
    cache_read: int = 0
    cache_write: int = 0
    total: int | None = None


class TextDelta(msgspec.Struct, frozen=True):
    """More text of block ``id``; the first one opens the block."""

    id: str
    text: str


class TextEnd(msgspec.Struct, frozen=True):
    id: str
    metadata: dict[str, Any] = {}


class ReasoningDelta(msgspec.Struct, frozen=True):
    id: str
    text: str


class ReasoningEnd(msgspec.Struct, frozen=True):
    """``metadata`` must go back to the provider with the text (signatures)."""

    id: str
    metadata: dict[str, Any] = {}


class ToolStart(msgspec.Struct, frozen=True):
    """The model begins a tool call; its arguments follow."""

    id: str
    name: str


class ToolCall(msgspec.Struct, frozen=True):
    """A complete call. ``arguments`` is the text the model wrote, normally a JSON object."""

    id: str
    name: str
    arguments: str
    metadata: dict[str, Any] = {}


class Finish(msgspec.Struct, frozen=True):
    """The end. ``reason``: stop, tool-calls, length, content-filter or unknown."""

    reason: str
    usage: Usage


Delta = TextDelta | TextEnd | ReasoningDelta | ReasoningEnd | ToolStart | ToolCall | Finish
