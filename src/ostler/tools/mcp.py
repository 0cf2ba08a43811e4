"""Tools that MCP servers bring, and those that read their resources."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.integrations.mcp.names import tool_name
from ostler.integrations.mcp.servers import McpServers
from ostler.schema.errors import ToolError
from ostler.tools.tool import Attachment, Tool, ToolContext, ToolResult, define

if TYPE_CHECKING:
    import mcp_types as types

    from ostler.integrations.mcp.connection import Connection

ATTACHABLE = ("application/pdf", "image/gif", "image/jpeg", "image/png", "image/webp")
MOST_BYTES = 10 * 1024 * 1024
"""Of an attached resource (OpenCode 1.18)."""
_NO_TEXT_ERROR = "The MCP tool failed and did not say why"


def mcp_tools(servers: McpServers) -> dict[str, Tool]:
    """What the connected servers offer now, by the names models use. Of two tools with one name the
    later server's counts."""
    found: dict[str, Tool] = {}
    readable = False
    for name, connection in servers.connected().items():
        readable = readable or connection.offer.resources
        for offered in connection.offer.tools:
            tool = _tool(tool_name(name, offered.name), offered, connection)
            found[tool.id] = tool
    if readable:
        found.update({tool.id: tool for tool in _resource_tools(servers)})
    return found


def _tool(tool_id: str, offered: "types.Tool", connection: "Connection") -> Tool:
    async def run(arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        from ostler.integrations.mcp.connection import McpError

        await context.host.ask(tool_id, ["*"], ["*"], {})
        try:
            result = await connection.call(
                offered.name, arguments, lambda said: context.host.update(title=said)
            )
        except McpError as e:
            raise ToolError(str(e)) from None
        return _result(result)

    schema = {
        "properties": {},
        **offered.input_schema,
        "type": "object",
        "additionalProperties": False,
    }
    return Tool(tool_id, offered.description or "", run, lambda: schema)


def _result(result: "types.CallToolResult") -> ToolResult:
    """Raises ToolError for a result that is an error."""
    texts: list[str] = []
    attachments: list[Attachment] = []
    for item in result.content:
        if item.type == "text":
            texts.append(item.text)
        elif item.type == "image":
            attachments.append(_attachment(item.mime_type, item.data))
        elif item.type == "resource":
            _take(item.resource, texts, attachments)
    if result.is_error:
        raise ToolError("\n\n".join(texts) or _NO_TEXT_ERROR)
    if not result.content and result.structured_content is not None:
        texts.append(msgspec.json.encode(result.structured_content).decode())
    return ToolResult("\n\n".join(texts), attachments=attachments)


def _take(contents: Any, texts: list[str], attachments: list[Attachment]) -> None:
    """One piece of a resource: a text, an attachment, or a note why it is neither."""
    if (text := getattr(contents, "text", None)) is not None:
        texts.append(text)
        return
    kind = contents.mime_type or "application/octet-stream"
    size = _size(contents.blob)
    if kind not in ATTACHABLE:
        texts.append(
            f"[Binary MCP resource omitted: {contents.uri} ({kind}, {size} bytes) "
            "is not a supported attachment type]"
        )
    elif size > MOST_BYTES:
        texts.append(f"[Binary MCP resource omitted: {contents.uri} ({kind}) exceeds 10 MB]")
    else:
        attachments.append(_attachment(kind, contents.blob, contents.uri))


def _attachment(mime: str, data: str, name: str | None = None) -> Attachment:
    return Attachment(mime, f"data:{mime};base64,{data}", name)


def _size(data: str) -> int:
    try:
        return len(base64.b64decode(data))
    except binascii.Error:
        return len(data)


# ── resources ────────────────────────────────────────────────────────────────────────────────


class ListParams(msgspec.Struct):
    server: str | None = None


class ReadParams(msgspec.Struct):
    server: str
    uri: str


def _resource_tools(servers: McpServers) -> list[Tool]:
    async def list_resources(params: ListParams, context: ToolContext) -> ToolResult:
        return await _listed(
            servers, params.server, context, "resources", "MCP resources", _resources
        )

    async def list_templates(params: ListParams, context: ToolContext) -> ToolResult:
        return await _listed(
            servers,
            params.server,
            context,
            "resourceTemplates",
            "MCP resource templates",
            _templates,
        )

    async def read(params: ReadParams, context: ToolContext) -> ToolResult:
        return await _read(servers, params, context)

    return [
        define(
            "list_mcp_resources",
            "List the resources that MCP servers offer: data with a URI, such as files, tables or "
            "documents. `server` limits the list to one server.",
            ListParams,
            list_resources,
        ),
        define(
            "list_mcp_resource_templates",
            "List the URI templates that MCP servers offer: fill in one to get a resource's URI. "
            "`server` limits the list to one server.",
            ListParams,
            list_templates,
        ),
        define(
            "read_mcp_resource",
            "Read one resource of an MCP server by its URI, as list_mcp_resources gives it or as "
            "filled in from a template.",
            ReadParams,
            read,
        ),
    ]


async def _resources(connection: "Connection") -> list[Any]:
    return [_plain(r) for r in await connection.resources()]


async def _templates(connection: "Connection") -> list[Any]:
    return [_plain(r) for r in await connection.resource_templates()]


def _plain(item: Any) -> dict[str, Any]:
    plain: dict[str, Any] = item.model_dump(mode="json", by_alias=True, exclude_none=True)
    return plain


async def _listed(
    servers: McpServers,
    server: str | None,
    context: ToolContext,
    key: str,
    title: str,
    ask: Any,
) -> ToolResult:
    from ostler.integrations.mcp.connection import McpError

    chosen = _readable(servers, server)
    await _ask(context, [f"mcp:{name}:*" for name in chosen], chosen)
    items: list[dict[str, Any]] = []
    for name, connection in chosen.items():
        try:
            items += [{**item, "server": name} for item in await ask(connection)]
        except McpError as e:
            raise ToolError(str(e)) from None
    text = msgspec.json.format(msgspec.json.encode({key: items}), indent=2).decode()
    metadata: dict[str, Any] = {"count": len(items), "servers": list(chosen)}
    if server:
        metadata["server"] = server
    return ToolResult(text, f"{title}: {server}" if server else title, metadata)


async def _read(servers: McpServers, params: ReadParams, context: ToolContext) -> ToolResult:
    chosen = _readable(servers, params.server)
    await _ask(context, [f"mcp:{params.server}:{params.uri}"], chosen)
    texts, attachments = await read_resource(servers, params.server, params.uri)
    metadata = {
        "server": params.server,
        "uri": params.uri,
        "contents": len(texts),
        "attachments": len(attachments),
    }
    return ToolResult("\n\n".join(texts), f"MCP resource: {params.uri}", metadata, attachments)


async def read_resource(
    servers: McpServers, server: str, uri: str
) -> tuple[list[str], list[Attachment]]:
    """The texts of a resource, each with its URI and type, and its attachments. Raises
    ToolError."""
    from ostler.integrations.mcp.connection import McpError

    try:
        result = await _readable(servers, server)[server].read_resource(uri)
    except McpError as e:
        raise ToolError(str(e)) from None
    texts: list[str] = []
    attachments: list[Attachment] = []
    for piece in result.contents:
        found: list[str] = []
        _take(piece, found, attachments)
        kind = f"\nMIME: {piece.mime_type}" if piece.mime_type else ""
        texts += [f"Resource: {piece.uri}{kind}\n{text}" for text in found]
    return texts, attachments


def _readable(servers: McpServers, server: str | None) -> Mapping[str, "Connection"]:
    """The servers that have resources, or the one. Raises ToolError that lists them."""
    found = {name: c for name, c in servers.connected().items() if c.offer.resources}
    if server is None:
        return found
    if server not in found:
        names = ", ".join(found) or "none"
        raise ToolError(
            f'There is no MCP server "{server}" with resources. Servers with some: {names}'
        )
    return {server: found[server]}


async def _ask(context: ToolContext, patterns: list[str], servers: Iterable[str]) -> None:
    await context.host.ask("read", patterns, [f"mcp:{name}:*" for name in servers], {})
