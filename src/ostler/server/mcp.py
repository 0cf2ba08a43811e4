"""MCP servers: how they fare, switching them on and off, signing in, and their resources."""

from typing import Any, Literal

import msgspec

from ostler.integrations.mcp.names import resource_key
from ostler.integrations.mcp.servers import McpServers
from ostler.schema.mcp import (
    McpAddInput,
    McpAuthorization,
    McpCodeInput,
    McpResource,
    MCPStatus,
)
from ostler.server.asgi import TRUE, Response
from ostler.server.operation import Context, operation


class Removed(msgspec.Struct, frozen=True):
    success: Literal[True] = True


async def _servers(context: Context) -> McpServers:
    return (await context.instance()).mcp


@operation("GET /mcp", "mcp.status", answer=dict[str, MCPStatus])
async def status(context: Context) -> dict[str, MCPStatus]:
    """Of every server, once those that are enabled have answered."""
    return await (await _servers(context)).status()


@operation("POST /mcp", "mcp.add", body=McpAddInput, answer=dict[str, MCPStatus])
async def add(context: Context) -> dict[str, MCPStatus]:
    """Add a server until the directory is disposed of; 200 also where it cannot be connected to."""
    servers = await _servers(context)
    body: McpAddInput = context.body
    await servers.add(body.name, body.config)
    return await servers.status()


@operation("POST /mcp/{name}/connect", "mcp.connect", answer=bool, errors=(404,))
async def connect(context: Context) -> Response:
    await (await _servers(context)).connect(context.params["name"])
    return TRUE


@operation("POST /mcp/{name}/disconnect", "mcp.disconnect", answer=bool, errors=(404,))
async def disconnect(context: Context) -> Response:
    await (await _servers(context)).disconnect(context.params["name"])
    return TRUE


@operation("POST /mcp/{name}/auth", "mcp.auth.start", answer=McpAuthorization, errors=(404,))
async def start_auth(context: Context) -> McpAuthorization:
    return await (await _servers(context)).start_auth(context.params["name"])


@operation(
    "POST /mcp/{name}/auth/callback",
    "mcp.auth.callback",
    body=McpCodeInput,
    answer=MCPStatus,
    errors=(404,),
)
async def finish_auth(context: Context) -> MCPStatus:
    servers = await _servers(context)
    return await servers.finish_auth(context.params["name"], context.body.code)


@operation(
    "POST /mcp/{name}/auth/authenticate", "mcp.auth.authenticate", answer=MCPStatus, errors=(404,)
)
async def authenticate(context: Context) -> MCPStatus:
    """Opens a browser where the server runs, and waits up to five minutes."""
    return await (await _servers(context)).authenticate(context.params["name"])


@operation("DELETE /mcp/{name}/auth", "mcp.auth.remove", answer=Removed, errors=(404,))
async def remove_auth(context: Context) -> Removed:
    await (await _servers(context)).remove_auth(context.params["name"])
    return Removed()


@operation(
    "GET /experimental/resource", "experimental.resource.list", answer=dict[str, McpResource]
)
async def resources(context: Context) -> dict[str, McpResource]:
    """Of every connected server that has some; one that fails to list them is left out."""
    servers = await _servers(context)
    await servers.ready()
    found: dict[str, McpResource] = {}
    for name, items in (await servers.resources()).items():
        for item in items:
            found[resource_key(name, item.uri)] = _resource(name, item)
    return found


def _resource(server: str, item: Any) -> McpResource:
    return McpResource(
        name=item.name,
        uri=item.uri,
        client=server,
        description=item.description or None,
        mimeType=item.mime_type,
    )
