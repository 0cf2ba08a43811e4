"""A prompt as it arrives to the user message as it is stored: parts are expanded, so that what the
model will see is on record."""

import asyncio
import base64
import json
import mimetypes
import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from ostler import ids
from ostler.engine.instance import Instance
from ostler.permission import evaluate
from ostler.schema.agent import Agent
from ostler.schema.base import Wire
from ostler.schema.errors import BadRequest, ToolError
from ostler.schema.message import PromptInput, UserMessage, UserModel, UserTime
from ostler.schema.part import (
    AgentPart,
    AgentPartInput,
    FilePart,
    FilePartInput,
    Part,
    PartInput,
    ResourceSource,
    SubtaskPart,
    SubtaskPartInput,
    TextPart,
    TextPartInput,
)
from ostler.schema.provider import Model
from ostler.schema.session import Session

DIRECTORY = "application/x-directory"
Fields = dict[str, Any]
"""The ids every part begins with."""


class Prompt(msgspec.Struct, frozen=True):
    """A user message ready to be stored."""

    message: UserMessage
    parts: list[Part]


async def expand(
    instance: Instance, session: Session, body: PromptInput, agent: Agent, model: Model
) -> Prompt:
    """Raises BadRequest for ids that are taken and URLs that cannot be read."""
    message_id = body.messageID or ids.new("msg")
    if body.messageID is not None and instance.store.messages.exists(body.messageID):
        raise BadRequest(f"messageID {body.messageID} exists already")
    message = UserMessage(
        id=message_id,
        sessionID=session.id,
        time=UserTime(created=ids.now_ms()),
        agent=agent.name,
        model=UserModel(
            providerID=model.providerID, modelID=model.id, variant=_variant(body, agent, model)
        ),
        format=body.format,
        system=body.system,
        tools=body.tools,
        thinking=body.thinking,
        budget=body.budget,
    )
    parts: list[Part] = []
    for part in body.parts:
        parts.extend(await _expand_part(instance, session.id, message_id, part, agent))
    return Prompt(message, parts)


def _variant(body: PromptInput, agent: Agent, model: Model) -> str | None:
    if body.variant is not None:
        return body.variant
    own = agent.model
    if own is not None and (own.providerID, own.modelID) == (model.providerID, model.id):
        return agent.variant
    return None


async def _expand_part(
    instance: Instance, session_id: str, message_id: str, part: PartInput, agent: Agent
) -> Iterable[Part]:
    fields: Fields = {
        "id": part.id or ids.new("prt"),
        "sessionID": session_id,
        "messageID": message_id,
    }
    if isinstance(part, TextPartInput):
        return [TextPart(**fields, **_rest(part))]
    if isinstance(part, SubtaskPartInput):
        return [SubtaskPart(**fields, **_rest(part))]
    if isinstance(part, AgentPartInput):
        return _agent(part, fields, agent)
    return await _file(instance, part, fields)


def _rest(part: Wire) -> dict[str, Any]:
    return {k: getattr(part, k) for k in part.__struct_fields__ if k != "id"}


def _agent(part: AgentPartInput, fields: Fields, agent: Agent) -> list[Part]:
    denied = evaluate("task", part.name, agent.permission).action == "deny"
    note = " The user asked for this agent by name, so you may call it." if denied else ""
    hint = (
        f"Use the task tool with the agent {part.name} for the message above, and write its "
        f"prompt from the message and its context.{note}"
    )
    return [
        AgentPart(**fields, name=part.name, source=part.source),
        _synthetic(fields, hint),
    ]


async def _file(instance: Instance, part: FilePartInput, fields: Fields) -> list[Part]:
    whole = FilePart(**fields, **_rest(part))
    if isinstance(part.source, ResourceSource):
        return await _resource(instance, part, part.source, fields, whole)
    url = urlsplit(part.url)
    if url.scheme == "data":
        if part.mime.startswith("text/"):
            text = _data_text(part.url)
            return [*_read_note(fields, {"filePath": part.filename or "attachment"}, text), whole]
        return [whole]
    if url.scheme in ("http", "https"):
        return [whole]
    if url.scheme != "file":
        raise BadRequest(
            f"parts: a file's url must be a file:, data: or http(s): URL, not {part.url[:80]!r}"
        )
    path = unquote(url.path)
    if os.path.isdir(path):
        mime = DIRECTORY
    elif part.mime == DIRECTORY:
        mime = "text/plain"
    else:
        mime = part.mime
    if mime == DIRECTORY or mime.startswith("text/"):
        return await _read(instance, path, mime, url.query, whole, fields)
    return [await asyncio.to_thread(_inline, path, part, whole)]


async def _read(
    instance: Instance, path: str, mime: str, query: str, whole: FilePart, fields: Fields
) -> list[Part]:
    """The read tool's answer in the model's view, the file itself in the user's."""
    arguments: dict[str, object] = {"filePath": path}
    asked = parse_qs(query)
    start, end = asked.get("start", [""])[0], asked.get("end", [""])[0]
    if start.isdecimal():
        arguments["offset"] = max(1, int(start))
        if end.isdecimal():
            arguments["limit"] = max(1, int(end) - max(1, int(start)) + 1)
    from ostler.engine.direct import read_for_user

    try:
        text = await read_for_user(instance, fields["sessionID"], arguments)
    except ToolError as e:
        return [
            _synthetic(fields, f"The read tool could not read {path}: {e}"),
            msgspec.structs.replace(whole, id=ids.new("prt"), mime=mime),
        ]
    return [
        *_read_note(fields, arguments, text),
        msgspec.structs.replace(whole, id=ids.new("prt"), mime=mime),
    ]


async def _resource(
    instance: Instance, part: FilePartInput, source: ResourceSource, fields: Fields, whole: FilePart
) -> list[Part]:
    """What an MCP server has under a URI, in the model's view; the part itself in the user's."""
    from ostler.tools.mcp import read_resource

    said = f"Reading MCP resource: {part.filename or source.uri} ({source.uri})"
    try:
        await instance.mcp.ready()
        texts, attached = await read_resource(instance.mcp, source.clientName, source.uri)
    except ToolError as e:
        texts, attached = [f"The MCP resource {source.uri} could not be read: {e}"], []
    files = [
        msgspec.structs.replace(whole, id=ids.new("prt"), mime=a.mime, url=a.url) for a in attached
    ]
    return [
        _synthetic(fields, said),
        *(_synthetic(fields, text) for text in texts),
        *files,
        msgspec.structs.replace(whole, id=ids.new("prt")),
    ]


def _read_note(fields: Fields, arguments: dict[str, object], text: str) -> list[Part]:
    asked = json.dumps(arguments, separators=(",", ":"))
    return [
        _synthetic(fields, f"Called the Read tool with the following input: {asked}"),
        _synthetic(fields, text),
    ]


def _synthetic(fields: Fields, text: str) -> TextPart:
    return TextPart(
        id=ids.new("prt"),
        sessionID=fields["sessionID"],
        messageID=fields["messageID"],
        text=text,
        synthetic=True,
    )


def _inline(path: str, part: FilePartInput, whole: FilePart) -> FilePart:
    """An image, PDF or other binary as a data URL."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as e:
        raise BadRequest(f"parts: cannot read {path}: {e.strerror}") from None
    mime = part.mime or mimetypes.guess_type(path)[0] or "application/octet-stream"
    url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    name = part.filename or os.path.basename(path)
    return msgspec.structs.replace(whole, mime=mime, url=url, filename=name)


def _data_text(url: str) -> str:
    head, _, data = url.partition(",")
    try:
        raw = base64.b64decode(data) if head.endswith(";base64") else unquote(data).encode()
    except ValueError as e:
        raise BadRequest(f"parts: the data URL is not base64: {e}") from None
    return raw.decode("utf-8", "replace")
