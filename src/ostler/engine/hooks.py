"""The points at which plugins take part, each as a function of what it may change.

Where no plugin has the hook a function costs a look into a set. What a plugin leaves that cannot be
used is reported and left out. Names, inputs and outputs are the reference's (OpenCode 1.18).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ostler import ids
from ostler.engine.history import Entry
from ostler.engine.instance import Instance
from ostler.integrations.plugins.plugin import Json, PluginError
from ostler.models.request import ChatMessage, ModelRequest, TextBlock, ToolDefinition
from ostler.schema.errors import NotFound, PermissionDenied, ToolError
from ostler.schema.message import Message, PromptInput, UserMessage
from ostler.schema.part import Part, PartInput, TextPart, ToolPart
from ostler.schema.permission import PermissionRequest
from ostler.schema.provider import Model
from ostler.tools.tool import Attachment, ToolResult

_plain = msgspec.to_builtins


# ── prompts ───────────────────────────────────────────────────────────────────────────────────


class Received(msgspec.Struct):
    """A prompt on its way into the session."""

    message: UserMessage
    parts: list[Part]


async def received(
    instance: Instance, body: PromptInput, message: UserMessage, parts: list[Part]
) -> Received:
    """``chat.message``. A message keeps its id and session; parts that are new get ids."""
    prompt = Received(message, parts)
    if not instance.hooks.listens("chat.message"):
        return prompt
    model = message.model

    def typed(output: Json) -> Received:
        own = {"sessionID": message.sessionID}
        parts = [
            {"id": ids.new("prt"), **part, **own, "messageID": message.id}
            for part in _objects(output, "parts")
        ]
        changed = {**_object(output, "message"), **own, "id": message.id}
        return msgspec.convert({"message": changed, "parts": parts}, Received)

    return await instance.hooks.run(
        "chat.message",
        {
            "sessionID": message.sessionID,
            "agent": body.agent,
            "model": {"providerID": model.providerID, "modelID": model.modelID},
            "messageID": body.messageID,
            "variant": body.variant,
        },
        _plain(prompt),
        typed,
    )


async def command_parts(
    instance: Instance, command: str, session_id: str, arguments: str, parts: list[PartInput]
) -> list[PartInput]:
    """``command.execute.before``: what a command's template came to, before it is sent."""
    if not instance.hooks.listens("command.execute.before"):
        return parts

    def typed(output: Json) -> list[PartInput]:
        return msgspec.convert(_objects(output, "parts"), list[PartInput])

    return await instance.hooks.run(
        "command.execute.before",
        {"command": command, "sessionID": session_id, "arguments": arguments},
        {"parts": _plain(parts)},
        typed,
    )


# ── requests ──────────────────────────────────────────────────────────────────────────────────


class _Shown(msgspec.Struct):
    info: Message
    parts: list[Part]


async def shown(instance: Instance, entries: Sequence[Entry]) -> Sequence[Entry]:
    """``experimental.chat.messages.transform``: the conversation as the model will be shown it.
    What is stored stays as it is."""
    hook = "experimental.chat.messages.transform"
    if not instance.hooks.listens(hook):
        return entries
    before = [{"info": _plain(e.message), "parts": _plain(e.parts)} for e in entries]

    def typed(output: Json) -> list[tuple[Json, _Shown]]:
        plain = _objects(output, "messages")
        return list(zip(plain, msgspec.convert(plain, list[_Shown]), strict=True))

    messages = await instance.hooks.run(hook, {}, {"messages": before}, typed)
    known = {id_of(raw): (raw, entry) for raw, entry in zip(before, entries, strict=True)}
    result = []
    for raw, message in messages:
        was = known.get(message.info.id)
        unchanged = was is not None and was[0] == raw  # whose translation is still good
        seq = was[1].seq if was else 0
        result.append(was[1] if was and unchanged else Entry(seq, message.info, message.parts))
    return result


def id_of(raw: Json) -> str:
    found: str = raw["info"]["id"]
    return found


class _Parameters(msgspec.Struct):
    temperature: float | None = None
    topP: float | None = None
    topK: int | None = None
    maxOutputTokens: int | None = None
    options: dict[str, Any] = {}


async def prepared(
    instance: Instance, request: ModelRequest, agent: str, user: UserMessage
) -> ModelRequest:
    """``experimental.chat.system.transform``, ``tool.definition``, ``chat.params`` and
    ``chat.headers``: a request before it is sent."""
    if not instance.hooks.plugins:
        return request
    return await _with_parameters(
        instance, await _with_tools(instance, await _with_system(instance, request)), agent, user
    )


async def _with_system(instance: Instance, request: ModelRequest) -> ModelRequest:
    hook = "experimental.chat.system.transform"
    if not instance.hooks.listens(hook):
        return request
    texts = [_text(m) for m in request.messages if m.role == "system"]

    def typed(output: Json) -> list[str]:
        return [text for text in msgspec.convert(output.get("system"), list[str]) if text]

    changed = await instance.hooks.run(
        hook,
        {"sessionID": request.session_id, "model": _plain(request.model)},
        {"system": texts},
        typed,
    )
    if changed == texts:
        return request
    system = [ChatMessage("system", (TextBlock(text),)) for text in changed]
    rest = [m for m in request.messages if m.role != "system"]
    return msgspec.structs.replace(request, messages=[*system, *rest])


def _text(message: ChatMessage) -> str:
    return "\n\n".join(b.text for b in message.content if isinstance(b, TextBlock))


async def _with_tools(instance: Instance, request: ModelRequest) -> ModelRequest:
    if not (request.tools and instance.hooks.listens("tool.definition")):
        return request
    tools = await asyncio.gather(*(_defined(instance, tool) for tool in request.tools))
    return msgspec.structs.replace(request, tools=tools)


class _Definition(msgspec.Struct):
    description: str
    parameters: dict[str, Any]


async def _defined(instance: Instance, tool: ToolDefinition) -> ToolDefinition:
    def typed(output: Json) -> _Definition:
        return msgspec.convert(output, _Definition)

    changed = await instance.hooks.run(
        "tool.definition",
        {"toolID": tool.name},
        {"description": tool.description, "parameters": tool.parameters},
        typed,
    )
    return ToolDefinition(tool.name, changed.description, changed.parameters)


async def _with_parameters(
    instance: Instance, request: ModelRequest, agent: str, user: UserMessage
) -> ModelRequest:
    hooks = instance.hooks
    if not (hooks.listens("chat.params") or hooks.listens("chat.headers")):
        return request
    input = _about(instance, request.session_id, request.model, agent, user)

    def parameters(output: Json) -> _Parameters:
        return msgspec.convert(output, _Parameters)

    def headers(output: Json) -> dict[str, str]:
        return msgspec.convert(output.get("headers"), dict[str, str])

    before = _Parameters(
        request.temperature, request.top_p, request.top_k, request.max_output, request.options
    )
    chosen = await hooks.run("chat.params", input, _plain(before), parameters)
    added = await hooks.run("chat.headers", input, {"headers": dict(request.headers)}, headers)
    return msgspec.structs.replace(
        request,
        temperature=chosen.temperature,
        top_p=chosen.topP,
        top_k=chosen.topK,
        max_output=chosen.maxOutputTokens,
        options=chosen.options,
        headers=added,
    )


def _about(
    instance: Instance, session_id: str, model: Model, agent: str, user: UserMessage
) -> Json:
    provider = instance.models.provider_of(model)
    return {
        "sessionID": session_id,
        "agent": agent,
        "model": _plain(model),
        "provider": {
            "source": provider.source,
            "info": _plain(provider),
            "options": _plain(provider.options),
        },
        "message": _plain(user),
    }


async def small_model(instance: Instance, model: Model) -> Model:
    """``experimental.provider.small_model``: the one for titles, where none is configured."""
    hook = "experimental.provider.small_model"
    if instance.config.small_model is None and instance.hooks.listens(hook):
        provider = _plain(instance.models.provider_of(model))
        output = await instance.hooks.run(hook, {"provider": provider}, {}, _as_it_is)
        chosen = output.get("model") or {}
        try:
            return instance.models.get(chosen["providerID"], chosen["id"])
        except (KeyError, TypeError, NotFound):
            pass  # it chose none, or one that there is not
    return instance.models.small(model)


# ── answers ───────────────────────────────────────────────────────────────────────────────────


async def completed_text(instance: Instance, part: TextPart, text: str) -> str:
    """``experimental.text.complete``: a text as it is stored."""
    hook = "experimental.text.complete"
    if not instance.hooks.listens(hook):
        return text

    def typed(output: Json) -> str:
        return msgspec.convert(output.get("text"), str)

    input = {"sessionID": part.sessionID, "messageID": part.messageID, "partID": part.id}
    return await instance.hooks.run(hook, input, {"text": text}, typed)


async def before_call(instance: Instance, part: ToolPart, arguments: Json) -> Json:
    """``tool.execute.before``: the arguments a tool is run with. Raises ToolError: what a hook
    raises, the model reads in the tool's place; so it is where a plugin gives no answer, since it
    may be there to guard."""
    if not instance.hooks.listens("tool.execute.before"):
        return arguments
    try:
        output = await instance.hooks.judge("tool.execute.before", _call(part), {"args": arguments})
        return msgspec.convert(output.get("args"), dict[str, Any])
    except PluginError as e:
        raise ToolError(str(e)) from None
    except msgspec.ValidationError as e:
        raise ToolError(f"A plugin left arguments that are no object: {e}") from None


class _Result(msgspec.Struct):
    title: str
    output: str
    metadata: dict[str, Any]
    attachments: list[Attachment] = []


async def after_call(
    instance: Instance, part: ToolPart, arguments: Json, result: ToolResult
) -> ToolResult:
    """``tool.execute.after``: what a tool answered, as it is stored."""
    if not instance.hooks.listens("tool.execute.after"):
        return result

    def typed(output: Json) -> _Result:
        return msgspec.convert(output, _Result)

    before = _Result(result.title, result.output, _plain(result.metadata), list(result.attachments))
    changed = await instance.hooks.run(
        "tool.execute.after", {**_call(part), "args": arguments}, _plain(before), typed
    )
    return ToolResult(changed.output, changed.title, changed.metadata, changed.attachments)


def _call(part: ToolPart) -> Json:
    return {"tool": part.tool, "sessionID": part.sessionID, "callID": part.callID}


async def judged(instance: Instance, request: PermissionRequest) -> bool:
    """``permission.ask``: whether a plugin permits what would be asked; False: ask. It cannot
    permit what a rule denies: that is never asked. Raises PermissionDenied where one denies it."""
    if not instance.hooks.listens("permission.ask"):
        return False
    tool = request.tool
    input = {
        **_plain(request),
        # as older plugins know it
        "type": request.permission,
        "pattern": request.patterns,
        "title": request.permission,
        "messageID": tool.messageID if tool else None,
        "callID": tool.callID if tool else None,
    }
    output = await instance.hooks.run(
        "permission.ask",
        input,
        {"status": "ask"},
        _as_it_is,
        final=lambda o: o.get("status") == "deny",
    )
    if output.get("status") == "deny":
        raise PermissionDenied("A plugin denied this call by its own rules.")
    return output.get("status") == "allow"


async def shell_environment(
    instance: Instance, directory: str, session_id: str | None = None, call_id: str | None = None
) -> Mapping[str, str]:
    """``shell.env``: variables for a program that is started for the user or the model."""
    if not instance.hooks.listens("shell.env"):
        return {}

    def typed(output: Json) -> dict[str, str]:
        return msgspec.convert(output.get("env"), dict[str, str])

    input = {"cwd": directory, "sessionID": session_id, "callID": call_id}
    input = {key: value for key, value in input.items() if value is not None}
    return await instance.hooks.run("shell.env", input, {"env": {}}, typed)


# ── compaction ────────────────────────────────────────────────────────────────────────────────


class CompactionContext(msgspec.Struct, frozen=True):
    """What plugins add to a compaction: more text, or another prompt."""

    context: list[str] = []
    prompt: str | None = None


async def compacting(instance: Instance, session_id: str) -> CompactionContext:
    """``experimental.session.compacting``."""
    hook = "experimental.session.compacting"
    if not instance.hooks.listens(hook):
        return CompactionContext()

    def typed(output: Json) -> CompactionContext:
        return msgspec.convert(output, CompactionContext)

    return await instance.hooks.run(hook, {"sessionID": session_id}, {"context": []}, typed)


async def goes_on(
    instance: Instance, model: Model, agent: str, user: UserMessage, overflow: bool
) -> bool:
    """``experimental.compaction.autocontinue``: whether the work goes on by itself."""
    hook = "experimental.compaction.autocontinue"
    if not instance.hooks.listens(hook):
        return True
    input = {**_about(instance, user.sessionID, model, agent, user), "overflow": overflow}
    output = await instance.hooks.run(hook, input, {"enabled": True}, _as_it_is)
    return output.get("enabled") is not False


def _as_it_is(output: Json) -> Json:
    return output


def _object(output: Json, key: str) -> Json:
    return msgspec.convert(output.get(key), dict[str, Any])


def _objects(output: Json, key: str) -> list[Json]:
    return msgspec.convert(output.get(key), list[dict[str, Any]])
