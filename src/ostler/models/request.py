"""What is asked of a model, whatever its wire: a conversation, tools, limits, options."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from ostler.schema.provider import Model, Provider


class TextBlock(msgspec.Struct, frozen=True, tag="text"):
    text: str


class ReasoningBlock(msgspec.Struct, frozen=True, tag="reasoning"):
    """``metadata`` is what the wire that produced it needs back (signatures, item ids)."""

    text: str
    metadata: dict[str, Any] = {}


class MediaBlock(msgspec.Struct, frozen=True, tag="media"):
    """An image, PDF, sound or video; ``url`` is a ``data:`` or ``https:`` URL."""

    mime: str
    url: str
    filename: str | None = None


class ToolCallBlock(msgspec.Struct, frozen=True, tag="tool_call"):
    id: str
    name: str
    arguments: dict[str, Any]
    metadata: dict[str, Any] = {}


class ToolResultBlock(msgspec.Struct, frozen=True, tag="tool_result"):
    id: str
    name: str
    output: str
    failed: bool = False
    media: tuple[MediaBlock, ...] = ()


Block = TextBlock | ReasoningBlock | MediaBlock | ToolCallBlock | ToolResultBlock
Role = Literal["system", "user", "assistant", "tool"]


class ChatMessage(msgspec.Struct, eq=False):
    """Never changed once made. ``known`` is what was found out of it and all before it (see
    ``grown``), so that a long conversation is not worked on anew for each step."""

    role: Role
    content: tuple[Block, ...]
    known: dict[str, Any] = {}


class ToolDefinition(msgspec.Struct, frozen=True):
    """``parameters`` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, Any]


def used_tools(messages: Sequence[ChatMessage]) -> list[ToolDefinition]:
    """The tools a conversation has called, as far as the calls tell: Anthropic's models want them
    declared even where none is offered any more."""
    names = {b.name for m in messages for b in m.content if isinstance(b, ToolCallBlock)}
    return [ToolDefinition(name, "", {"type": "object"}) for name in sorted(names)]


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``options`` are the provider options, layered (model, agent, variant); ``headers``
    go with the HTTP request; ``session_id`` serves caches and affinity; ``places`` are the paths
    that the messages speak of as their own: the directory, then the worktree."""

    provider: Provider
    model: Model
    messages: Sequence[ChatMessage]
    tools: Sequence[ToolDefinition] = ()
    tool_choice: Literal["auto", "required", "none"] = "auto"
    max_output: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    options: dict[str, Any] = {}
    headers: dict[str, str] = {}
    session_id: str = ""
    places: tuple[str, ...] = ()
