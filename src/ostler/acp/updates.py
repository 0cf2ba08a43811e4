"""What goes on in a session, in the protocol's words: one ``session/update`` each."""

import os
from collections.abc import Iterable
from functools import reduce
from typing import Any

from ostler.acp.content import inlined
from ostler.schema.agent import Command
from ostler.schema.message import AssistantMessage
from ostler.schema.part import (
    FilePart,
    ToolPart,
    ToolStateCompleted,
    ToolStateError,
    ToolStatePending,
    ToolStateRunning,
)
from ostler.schema.permission import PermissionRequest
from ostler.schema.session import NO_TOKENS, Todo, Tokens, add_tokens

Json = dict[str, Any]

_KINDS = {
    "bash": "execute",
    "shell": "execute",
    "webfetch": "fetch",
    "edit": "edit",
    "write": "edit",
    "patch": "edit",
    "apply_patch": "edit",
    "grep": "search",
    "glob": "search",
    "read": "read",
    "task": "think",
}
OPTIONS = [
    {"optionId": "once", "kind": "allow_once", "name": "Allow once"},
    {"optionId": "always", "kind": "allow_always", "name": "Always allow"},
    {"optionId": "reject", "kind": "reject_once", "name": "Reject"},
]


def kind_of(tool: str) -> str:
    return _KINDS.get(tool.lower(), "other")


def chunk(kind: str, message_id: str, block: Json) -> Json:
    """``kind``: agent_message, agent_thought or user_message."""
    return {"sessionUpdate": f"{kind}_chunk", "messageId": message_id, "content": block}


def text(kind: str, message_id: str, said: str) -> Json:
    return chunk(kind, message_id, {"type": "text", "text": said})


# ── tool calls ───────────────────────────────────────────────────────────────────────────────


def tool_call(part: ToolPart, directory: str) -> Json:
    """A call that begins. One that is read from the history already knows its title."""
    title = getattr(part.state, "title", None)
    return {
        "sessionUpdate": "tool_call",
        "toolCallId": part.callID,
        "title": title or _heading(part) or part.tool,
        "kind": kind_of(part.tool),
        "status": "pending",
        "locations": _locations(part, directory),
        "rawInput": _raw_input(part, directory),
    }


def tool_call_update(part: ToolPart, directory: str) -> Json:
    """How a call stands now. Raises nothing; a pending one is told with ``tool_call``."""
    update: Json = {
        "sessionUpdate": "tool_call_update",
        "toolCallId": part.callID,
        "kind": kind_of(part.tool),
    }
    state = part.state
    if isinstance(state, ToolStateCompleted):
        return {**update, **_completed(part, state)}
    located = {
        "title": _heading(part) or part.tool,
        "locations": _locations(part, directory),
        "rawInput": _raw_input(part, directory),
    }
    if isinstance(state, ToolStateError):
        raw: Json = {"error": state.error}
        if state.metadata:
            raw["metadata"] = state.metadata
        content = [_content({"type": "text", "text": state.error})]
        return {**update, **located, "status": "failed", "content": content, "rawOutput": raw}
    if isinstance(state, ToolStateRunning):
        located["title"] = state.title or located["title"]
        output = (state.metadata or {}).get("output")
        if isinstance(output, str) and output:
            located["content"] = [_content({"type": "text", "text": output})]
    return {**update, **located, "status": "in_progress"}


def _completed(part: ToolPart, state: ToolStateCompleted) -> Json:
    content = [_content({"type": "text", "text": state.output})]
    if kind_of(part.tool) == "edit":
        content += _diffs(part, state)
    content += [_content(image) for image in _images(state.attachments or [])]
    raw: Json = {"output": state.output, "metadata": state.metadata}
    if state.attachments:
        raw["attachments"] = [{"mime": a.mime, "url": a.url} for a in state.attachments]
    return {
        "status": "completed",
        "title": state.title or _heading(part) or part.tool,
        "content": content,
        "rawOutput": raw,
    }


def _content(block: Json) -> Json:
    return {"type": "content", "content": block}


def _diffs(part: ToolPart, state: ToolStateCompleted) -> list[Json]:
    """What an edit changed, as far as its arguments say."""
    given = state.input
    path, new = given.get("filePath"), given.get("newString", given.get("content"))
    if not isinstance(path, str) or not isinstance(new, str):
        return []
    old = given.get("oldString")
    before = {"oldText": old} if isinstance(old, str) else {}
    return [{"type": "diff", "path": path, **before, "newText": new}]


def _images(attachments: Iterable[FilePart]) -> list[Json]:
    found = []
    for file in attachments:
        mime, data = inlined(file.url)
        if mime.startswith("image/"):
            found.append({"type": "image", "mimeType": mime, "data": data})
    return found


def _heading(part: ToolPart) -> str | None:
    """A call's title before it has one of its own: of a command, the command."""
    command = part.state.input.get("command")
    return command if kind_of(part.tool) == "execute" and isinstance(command, str) else None


def _raw_input(part: ToolPart, directory: str) -> Json:
    given = {} if isinstance(part.state, ToolStatePending) else dict(part.state.input)
    if kind_of(part.tool) == "execute":
        given["cwd"] = _workdir(given, directory)
    return given


def _workdir(given: Json, directory: str) -> str:
    chosen = given.get("workdir")
    return os.path.join(directory, chosen) if isinstance(chosen, str) else directory


def _locations(part: ToolPart, directory: str) -> list[Json]:
    given, kind = part.state.input, kind_of(part.tool)
    if kind == "execute":
        return [{"path": _workdir(given, directory)}]
    path = given.get("path") if kind == "search" else given.get("filePath")
    return [{"path": path}] if isinstance(path, str) and path else []


def permission(request: PermissionRequest, part: ToolPart | None) -> Json:
    """The call that waits for a person, as ``session/request_permission`` shows it."""
    tool = part.tool if part else request.permission
    given = dict(part.state.input) if part else {}
    heading = given.get("command") if kind_of(tool) == "execute" else None
    call: Json = {
        "toolCallId": request.tool.callID if request.tool else request.id,
        "title": heading or request.metadata.get("filepath") or tool,
        "kind": kind_of(tool),
        "status": "pending",
        "locations": [{"path": p} for p in _paths(request)],
        "rawInput": given or request.metadata,
    }
    diff = request.metadata.get("diff")
    if isinstance(diff, str) and diff:
        call["content"] = [_content({"type": "text", "text": f"```diff\n{diff}\n```"})]
    return call


def _paths(request: PermissionRequest) -> list[str]:
    path = request.metadata.get("filepath") or request.metadata.get("parentDir")
    return [path] if isinstance(path, str) and path else []


# ── everything else ──────────────────────────────────────────────────────────────────────────


def plan(todos: Iterable[Todo]) -> Json:
    """The todo list. What was cancelled is left out: the protocol has no word for it."""
    entries = [
        {"content": t.content, "priority": _priority(t.priority), "status": t.status}
        for t in todos
        if t.status in ("pending", "in_progress", "completed")
    ]
    return {"sessionUpdate": "plan", "entries": entries}


def _priority(priority: str) -> str:
    return priority if priority in ("high", "medium", "low") else "medium"


def commands(available: Iterable[Command]) -> Json:
    """By name; a command whose template takes arguments has an input."""
    entries = []
    for command in sorted(available, key=lambda c: c.name):
        entry: Json = {"name": command.name, "description": command.description or ""}
        if command.hints:
            entry["input"] = {"hint": " ".join(command.hints)}
        entries.append(entry)
    return {"sessionUpdate": "available_commands_update", "availableCommands": entries}


def usage_update(message: AssistantMessage, size: int | float, cost: float) -> Json:
    """``used``: tokens of the context, of ``size``."""
    tokens = message.tokens
    return {
        "sessionUpdate": "usage_update",
        "used": tokens.input + tokens.cache.read + tokens.cache.write,
        "size": size,
        "cost": {"amount": cost, "currency": "USD"},
    }


def usage(spent: Iterable[Tokens]) -> Json:
    """What a turn took, all its steps together."""
    total = reduce(add_tokens, spent, NO_TOKENS)
    cache = total.cache
    optional = {
        "thoughtTokens": total.reasoning,
        "cachedReadTokens": cache.read,
        "cachedWriteTokens": cache.write,
    }
    return {
        "inputTokens": total.input,
        "outputTokens": total.output,
        "totalTokens": total.input + total.output + total.reasoning + cache.read + cache.write,
        **{name: count for name, count in optional.items() if count},
    }
