"""Tools that users write in Python: a function with type hints and a docstring is one.

In a configuration folder's ``tool/`` or ``tools/``, each public function of a ``.py`` file that has
a docstring is a tool: called like the file where it is named like it, else ``<file>_<function>``.
Its hints become the JSON Schema; the docstring's first part describes the tool, ``name: text``
lines (alone, under ``Args:``, or as ``:param name: text``) or ``Annotated[T, "text"]`` describe
the parameters. A parameter that is a ``ToolContext``, or is called ``context`` without a hint, gets
the call's.
"""

import asyncio
import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from ostler.config.entries import in_folders
from ostler.config.validate import Warning_
from ostler.integrations import modules
from ostler.schema.errors import ToolError
from ostler.tools.tool import Attachment, Tool, ToolContext, ToolResult, decode, schema_of

log = logging.getLogger(__name__)

FOLDERS = ("tool", "tools")
DEADLINE = 600.0
"""Seconds a call may take."""
_PARAMETER = re.compile(r"^\s*(?::param\s+)?(\w+)\s*(?:\([^)]*\))?\s*:\s*(\S.*)$")
_SECTION = re.compile(r"^\s*(args|arguments|parameters|returns?|raises|yields?)\s*:\s*$", re.I)


class Found(msgspec.Struct):
    """Tools by id, and what could not be loaded."""

    tools: dict[str, Tool]
    warnings: list[Warning_]


def files(folder: str) -> list[str]:
    """The tool files of a configuration folder."""
    return in_folders(folder, FOLDERS, (".py",))


def load(paths: Sequence[str]) -> Found:
    """The tools of these files; of two with one id the later counts. What fails in a file is a
    warning, and its tools are left out."""
    found = Found({}, [])
    for path in paths:
        try:
            found.tools.update({tool.id: tool for tool in _tools(path)})
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt | asyncio.CancelledError):
                raise
            line, message = modules.where(e, path)
            log.warning("%s:%d: %s", path, line, message)
            found.warnings.append(Warning_(path, line, f"this tool file is left out: {message}"))
    return found


def _tools(path: str) -> Iterator[Tool]:
    module = modules.imported(path)
    stem = modules.stem(path)
    for name, function in vars(module).items():
        own = inspect.isfunction(function) and function.__module__ == module.__name__
        if own and not name.startswith("_") and inspect.getdoc(function):
            same = name == re.sub(r"\W", "_", stem)
            yield tool_of(stem if same else f"{stem}_{name}", function, path)


# ── one function ──────────────────────────────────────────────────────────────────────────────


def tool_of(tool_id: str, function: Callable[..., Any], path: str) -> Tool:
    """Raises TypeError for a function that cannot be one, with its name."""
    description, described = _documentation(inspect.getdoc(function) or "")
    hints = get_type_hints(function, include_extras=True)
    fields: list[Any] = []
    context_name = ""
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{function.__name__}: *{name} cannot be told to a model")
        hint = hints.get(name, Any)
        if hint is ToolContext or (name == "context" and name not in hints):
            context_name = name
            continue
        kind = _described(hint, described.get(name, ""))
        required = parameter.default is parameter.empty
        fields.append((name, kind) if required else (name, kind, parameter.default))
    params = msgspec.defstruct(f"{tool_id}_parameters", fields, kw_only=True)
    schema_of(params)  # a hint that has no schema is noticed here, not in a call

    async def run(arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        decoded = decode(tool_id, arguments, params)
        values = {name: getattr(decoded, name) for name in params.__struct_fields__}
        if context_name:
            values[context_name] = context
        await context.host.ask(tool_id, ["*"], ["*"], {})
        return result_of(await _call(tool_id, function, values, path))

    return Tool(tool_id, description, run, lambda: schema_of(params))


async def _call(
    tool_id: str, function: Callable[..., Any], values: dict[str, Any], path: str
) -> Any:
    """Raises ToolError for whatever goes wrong in it."""
    coroutine = inspect.iscoroutinefunction(function)
    work = function(**values) if coroutine else asyncio.to_thread(function, **values)
    try:
        return await within_deadline(tool_id, work)
    except ToolError:
        raise
    except (Exception, SystemExit) as e:  # a tool's exit is not the server's
        line, message = modules.where(e, path)
        raise ToolError(f"{message} ({path}:{line})") from None


async def within_deadline(tool_id: str, work: Awaitable[Any]) -> Any:
    """Raises ToolError when a tool takes longer than DEADLINE."""
    try:
        async with asyncio.timeout(DEADLINE):
            return await work
    except TimeoutError:
        raise ToolError(f"{tool_id} did not finish within {DEADLINE:.0f} s") from None


def result_of(value: Any) -> ToolResult:
    """What a function returned, as a result: a text, a ToolResult, ``{output, title, metadata,
    attachments}``, or anything that JSON can say. Raises ToolError for what it cannot."""
    if isinstance(value, ToolResult):
        return value
    if isinstance(value, str):
        return ToolResult(value)
    if value is None:
        return ToolResult("")
    if isinstance(value, dict) and isinstance(value.get("output"), str):
        title, metadata = value.get("title"), value.get("metadata")
        return ToolResult(
            value["output"],
            title if isinstance(title, str) else "",
            metadata if isinstance(metadata, dict) else {},
            _attachments(value.get("attachments") or ()),
        )
    try:
        return ToolResult(msgspec.json.encode(value).decode())
    except (TypeError, msgspec.MsgspecError) as e:
        raise ToolError(f"the tool returned what cannot be shown to a model: {e}") from None


def _attachments(value: Any) -> list[Attachment]:
    """Raises ToolError."""
    try:
        return msgspec.convert(value, list[Attachment])
    except msgspec.ValidationError as e:
        raise ToolError(f"the tool returned attachments that are none: {e}") from None


def _described(hint: Any, text: str) -> Any:
    """The hint with a description in its schema."""
    if get_origin(hint) is Annotated:
        kind, *extras = get_args(hint)
        texts = [e for e in extras if isinstance(e, str)]
        kept = tuple(e for e in extras if not isinstance(e, str))
        hint = Annotated[(kind, *kept)] if kept else kind
        text = texts[0] if texts else text
    return Annotated[hint, msgspec.Meta(description=text)] if text else hint


def _documentation(docstring: str) -> tuple[str, dict[str, str]]:
    """(what the tool does, parameter -> what it is)."""
    head: list[str] = []
    described: dict[str, str] = {}
    first, *rest = docstring.split("\n")
    head.append(first)
    in_head = True
    for line in rest:
        if _SECTION.match(line):
            in_head = False
        elif match := _PARAMETER.match(line):
            in_head = False
            described[match[1]] = match[2].strip()
        elif in_head:
            head.append(line)
    return "\n".join(head).strip(), described
