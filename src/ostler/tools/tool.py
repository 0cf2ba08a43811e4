"""What a tool is: a name, a description, typed parameters, and a coroutine that runs it.

A built-in tool is one module with a ``Params`` struct and ``TOOL = define(...)``; its JSON
Schema is generated from the struct. A tool sees the world through its ToolContext alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Protocol, TypeVar

import msgspec

from ostler.integrations.lsp.servers import LanguageServers
from ostler.schema.agent import Agent, Skill
from ostler.schema.config import Config
from ostler.schema.errors import ToolError
from ostler.schema.question import QuestionAnswer, QuestionInfo
from ostler.schema.session import Todo

Metadata = dict[str, Any]


class Attachment(msgspec.Struct, frozen=True):
    """A file a tool hands to the model; ``url`` is a ``data:`` URL."""

    mime: str
    url: str
    filename: str | None = None


class ToolResult(msgspec.Struct, frozen=True):
    """``metadata`` with a ``truncated`` key says that the tool bounded its output itself."""

    output: str
    title: str = ""
    metadata: Metadata = {}
    attachments: Sequence[Attachment] = ()


class Edited(msgspec.Struct, frozen=True):
    """What came of a file's change once formatters and language servers had their turn.

    ``diagnostics``: every file's, by absolute path; ``report(path)`` of the tools shows errors.
    """

    diagnostics: dict[str, list[dict[str, Any]]] = {}


class Subtask(msgspec.Struct, frozen=True, kw_only=True):
    """Work for a subagent. ``task_id``: the session to continue; ``bypass``: do not ask."""

    description: str
    prompt: str
    agent: str
    task_id: str | None = None
    command: str | None = None


class SubtaskResult(msgspec.Struct, frozen=True):
    session_id: str
    text: str
    metadata: Metadata


class ToolHost(Protocol):
    """What the engine does on a tool's behalf. Each may raise ToolError."""

    async def ask(
        self,
        permission: str,
        patterns: Sequence[str],
        always: Sequence[str],
        metadata: Metadata,
    ) -> None:
        """Return when the call is permitted. Raises PermissionDenied, PermissionRejected or
        PermissionCorrected."""

    def update(self, title: str | None = None, metadata: Metadata | None = None) -> None:
        """Show progress on the running tool part."""

    async def edited(self, path: str, created: bool) -> Edited:
        """A file was written: format it, announce it, collect diagnostics."""

    async def removed(self, path: str) -> None:
        """A file was deleted or moved away: announce it."""

    async def warm(self, path: str) -> None:
        """A file was read: let language servers open it."""

    async def shell_environment(self, directory: str) -> Mapping[str, str]:
        """Variables that plugins add for a program started in a directory."""

    def language_servers(self) -> LanguageServers:
        """Those of the session's directory."""

    def nearby_instructions(self, path: str) -> list[tuple[str, str]]:
        """(path, text) of instruction files that hold for a file and were not shown yet."""

    async def question(self, questions: Sequence[QuestionInfo]) -> list[QuestionAnswer]:
        """Raises QuestionRejected, or ToolError where nobody will answer."""

    def todos(self) -> list[Todo]: ...

    def set_todos(self, todos: list[Todo]) -> None: ...

    def skills(self) -> list[Skill]:
        """The skills the agent may use, by name."""

    async def subtask(self, task: Subtask) -> SubtaskResult:
        """Run a subagent to its end."""


class ToolContext(msgspec.Struct, frozen=True, kw_only=True):
    """One call's surroundings.

    ``worktree`` is the repository's root, ``/`` outside version control. ``aborted`` is set when
    the turn is being aborted: a tool that watches it may still return what it has. ``output_dir``
    is where whole outputs are kept when the model gets a part.
    """

    session_id: str
    message_id: str
    call_id: str
    agent: Agent
    directory: str
    worktree: str
    config: Config
    host: ToolHost
    aborted: asyncio.Event
    output_dir: str
    environment: dict[str, str]


P = TypeVar("P", bound=msgspec.Struct)
Run = Callable[[dict[str, Any], ToolContext], Awaitable[ToolResult]]


class Tool(msgspec.Struct, frozen=True, dict=True):
    """``parameters`` is a JSON Schema object (draft 2020-12); ``run`` takes the decoded arguments.
    ``run`` raises ToolError for what the model should read."""

    id: str
    description: str
    run: Run
    parameters_of: Callable[[], dict[str, Any]]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        return self.parameters_of()


def define(
    tool_id: str,
    description: str,
    params: type[P],
    execute: Callable[[P, ToolContext], Awaitable[ToolResult]],
) -> Tool:
    """A tool from a parameter struct and a coroutine."""

    async def run(arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        return await execute(decode(tool_id, arguments, params), context)

    return Tool(tool_id, description, run, lambda: schema_of(params))


def decode(tool_id: str, arguments: dict[str, Any], params: type[P]) -> P:
    """Arguments as the tool's struct; excess keys are ignored, ``"5"`` passes for 5.
    Raises ToolError that names the key."""
    try:
        return msgspec.convert(arguments, params, strict=False)
    except msgspec.ValidationError as e:
        raise ToolError(
            f"The {tool_id} tool was called with invalid arguments: {e}.\n"
            "Please rewrite the input so it satisfies the expected schema."
        ) from None


@cache
def schema_of(params: type[msgspec.Struct]) -> dict[str, Any]:
    """The struct's JSON Schema, with nested structs in place and null never an option: models
    leave optional keys out."""
    (schema,), components = msgspec.json.schema_components((params,), ref_template="#/{name}")
    resolved = _inline(schema, components)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": resolved.get("properties", {}),
        "required": resolved.get("required", []),
    }


_SAFE = 9_007_199_254_740_991


def _inline(schema: Any, components: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inline(item, components) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        beside = {k: v for k, v in schema.items() if k not in ("$ref", "title", "default")}
        return {**_inline(components[schema["$ref"].removeprefix("#/")], components), **beside}
    result = {
        key: {name: _inline(v, components) for name, v in value.items()}
        if key == "properties"  # whose keys are names, not words of the schema
        else _inline(value, components)
        for key, value in schema.items()
        if key not in ("title", "default")
    }
    options = [o for o in result.get("anyOf", ()) if o != {"type": "null"}]
    if len(options) == 1:
        del result["anyOf"]
        result = {**options[0], **result}
    if result.get("type") == "integer":
        if "exclusiveMinimum" not in result:
            result.setdefault("minimum", -_SAFE)
        result.setdefault("maximum", _SAFE)
    return result
