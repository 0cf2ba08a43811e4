"""MCP servers: how they are configured, how they fare, what they offer over HTTP."""

from typing import Annotated

import msgspec

from ostler.schema.base import Positive, Wire
from ostler.schema.config import McpConfig, McpOAuthConfig


class McpLocalConfig(Wire, tag_field="type", tag="local"):
    """A program that is run and spoken to over its standard input and output. ``cwd`` is relative
    to the project; ``environment`` is added to Ostler's own; ``timeout`` in ms."""

    command: Annotated[list[str], msgspec.Meta(min_length=1)]
    cwd: str | None = None
    environment: dict[str, str] | None = None
    enabled: bool | None = None
    timeout: Positive | None = None


class McpRemoteConfig(Wire, tag_field="type", tag="remote"):
    """A server with an address. ``oauth`` false: never sign in; ``timeout`` in ms."""

    url: str
    enabled: bool | None = None
    headers: dict[str, str] | None = None
    oauth: McpOAuthConfig | bool | None = None
    timeout: Positive | None = None


McpServerConfig = McpLocalConfig | McpRemoteConfig


def server_config(entry: McpConfig) -> McpServerConfig | None:
    """The configured server; None for an entry that only switches one on or off, or that lacks its
    command or address."""
    if entry.type == "local" and entry.command:
        return McpLocalConfig(
            command=entry.command,
            cwd=entry.cwd,
            environment=entry.environment,
            enabled=entry.enabled,
            timeout=entry.timeout,
        )
    if entry.type == "remote" and entry.url:
        return McpRemoteConfig(
            url=entry.url,
            enabled=entry.enabled,
            headers=entry.headers,
            oauth=entry.oauth,
            timeout=entry.timeout,
        )
    return None


class MCPStatusConnected(Wire, tag_field="status", tag="connected"):
    pass


class MCPStatusDisabled(Wire, tag_field="status", tag="disabled"):
    pass


class MCPStatusFailed(Wire, tag_field="status", tag="failed"):
    error: str


class MCPStatusNeedsAuth(Wire, tag_field="status", tag="needs_auth"):
    pass


class MCPStatusNeedsClientRegistration(Wire, tag_field="status", tag="needs_client_registration"):
    """The authorization server does not register clients by itself: ``clientId`` is needed."""

    error: str


MCPStatus = (
    MCPStatusConnected
    | MCPStatusDisabled
    | MCPStatusFailed
    | MCPStatusNeedsAuth
    | MCPStatusNeedsClientRegistration
)


class McpResource(Wire):
    """``client`` is the server's name."""

    name: str
    uri: str
    client: str
    description: str | None = None
    mimeType: str | None = None


class McpAddInput(Wire):
    name: str
    config: McpServerConfig


class McpAuthorization(msgspec.Struct, frozen=True):
    """Where a person signs in; both are empty when nobody has to."""

    authorizationUrl: str
    oauthState: str


class McpCodeInput(Wire):
    code: str
