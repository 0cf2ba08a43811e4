"""The MCP servers of one directory: connected to when first needed, shared by all its sessions."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.integrations.mcp.credentials import McpCredentials
from ostler.integrations.mcp.names import command_name
from ostler.schema.config import McpConfig
from ostler.schema.errors import DomainError, McpUnsupportedOAuth, TaggedNotFound
from ostler.schema.event import McpBrowserOpenFailed, McpToolsChanged, Properties, TuiToastShow
from ostler.schema.mcp import (
    McpAuthorization,
    McpLocalConfig,
    McpServerConfig,
    MCPStatus,
    MCPStatusConnected,
    MCPStatusDisabled,
    MCPStatusFailed,
    MCPStatusNeedsAuth,
    server_config,
)

if TYPE_CHECKING:
    import mcp_types as types

    from ostler.integrations.mcp.auth import Flow
    from ostler.integrations.mcp.connection import Connection

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between restarts of a server that keeps ending: the first at once, then 1, 2, 4, …"""
STEADY_SECONDS = 60.0
"""A server that was there for so long has not kept ending: it is started again at once."""
TOAST_MS = 8000


class _Restarts(msgspec.Struct):
    """When a lost server may be connected to again (monotonic seconds), and the pause after."""

    due: float = 0.0
    pause: float = 0.0


class McpServers:
    """``held_back`` says why a configured server must not be run; None lets it."""

    def __init__(
        self,
        configured: Mapping[str, McpConfig],
        *,
        directory: str,
        environment: Mapping[str, str],
        version: str,
        data: str,
        call_seconds: float | None,
        held_back: Callable[[str], str | None],
        tell: Callable[[Properties], None],
    ) -> None:
        self._directory, self._environment, self._version = directory, environment, version
        self._call_seconds, self._held_back, self._tell = call_seconds, held_back, tell
        self._credentials = McpCredentials(data)
        self._configs: dict[str, McpServerConfig] = {}
        self._connections: dict[str, Connection] = {}
        self._statuses: dict[str, MCPStatus] = {}
        self._restarts: dict[str, _Restarts] = {}
        self._flows: dict[str, Flow] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._added: set[str] = set()
        for name, entry in configured.items():
            config = server_config(entry)
            if config is not None:
                self._configs[name] = config

    # ── on demand ────────────────────────────────────────────────────────────────────────────

    async def ready(self) -> None:
        """Connect to what is enabled and was not tried yet, and again to what was lost; remote
        ones that have been silent are asked whether they are there. Returns when each has answered
        or run out of its time."""
        await asyncio.gather(*(c.check() for c in self.connected().values()))
        wanted = [name for name in self._configs if self._is_due(name)]
        for name in wanted:
            self._start(name)
        if self._opening:
            await asyncio.wait(list(self._opening.values()))

    def _is_due(self, name: str) -> bool:
        if name in self._opening or name in self._flows or name in self._statuses:
            return False
        connection = self._connections.get(name)
        if connection is None:
            return self._configs[name].enabled is not False
        restarts = self._restarts.get(name)  # of those that were lost
        failed = isinstance(connection.status, MCPStatusFailed)
        return failed and restarts is not None and time.monotonic() >= restarts.due

    def _start(self, name: str, flow: "Flow | None" = None) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._open(name, flow))
        self._opening[name] = task
        task.add_done_callback(lambda _: self._opening.pop(name, None))
        return task

    async def _open(self, name: str, flow: "Flow | None") -> None:
        reason = self._objection(name)
        if reason is not None:
            self._statuses[name] = MCPStatusFailed(error=reason)
            return
        self._statuses.pop(name, None)
        from ostler.integrations.mcp.connection import Connection

        known = self._connections.get(name)
        connection = known or Connection(
            name,
            self._configs[name],
            directory=self._directory,
            environment=self._environment,
            version=self._version,
            credentials=self._credentials,
            call_seconds=self._call_seconds,
            changed=lambda: self._changed(name),
        )
        self._connections[name] = connection
        await connection.open(flow)
        if name in self._restarts:
            self._started_again(name, connection)
        if isinstance(connection.status, MCPStatusNeedsAuth) and flow is None:
            self._tell(
                TuiToastShow(
                    title="MCP Authentication Required",
                    message=f"Server {name} needs a sign-in: POST /mcp/{name}/auth/authenticate",
                    variant="warning",
                    duration=TOAST_MS,
                )
            )

    def _changed(self, name: str) -> None:
        """A connection's offer changed, or it was lost: it may be restarted, each time later."""
        connection = self._connections.get(name)
        if connection is not None and isinstance(connection.status, MCPStatusFailed):
            if time.monotonic() - connection.connected_at >= STEADY_SECONDS:
                self._restarts.pop(name, None)
            self._postpone(name)
        self._tell(McpToolsChanged(server=name))

    def _started_again(self, name: str, connection: "Connection") -> None:
        """A lost server was tried again."""
        if isinstance(connection.status, MCPStatusFailed):
            self._postpone(name)
        else:
            self._tell(McpToolsChanged(server=name))

    def _postpone(self, name: str) -> None:
        restarts = self._restarts.setdefault(name, _Restarts())
        restarts.due = time.monotonic() + restarts.pause
        restarts.pause = min(max(restarts.pause * 2, FIRST_PAUSE), LONGEST_PAUSE)

    # ── what a client asks for ───────────────────────────────────────────────────────────────

    def held_back(self) -> list[str]:
        """The servers that must not be run."""
        return [name for name in self._configs if self._objection(name) is not None]

    def _objection(self, name: str) -> str | None:
        """Why a server must not be run: only programs are, and who added one wants it."""
        if name in self._added or not isinstance(self._configs[name], McpLocalConfig):
            return None
        return self._held_back(name)

    async def status(self) -> dict[str, MCPStatus]:
        """Of every server, by name."""
        await self.ready()
        return {name: self._status(name) for name in self._configs}

    def _status(self, name: str) -> MCPStatus:
        held = self._statuses.get(name)
        connection = self._connections.get(name)
        return held or (connection.status if connection else MCPStatusDisabled())

    async def add(self, name: str, config: McpServerConfig) -> None:
        """Add a server, or put another in its place, and connect to it."""
        await self._drop(name)
        self._configs[name] = config
        self._added.add(name)
        if config.enabled is not False:
            await self._start(name)

    async def declare(self, name: str, config: McpServerConfig) -> None:
        """The same, but connect when it is first needed; one that is there already stays."""
        if self._configs.get(name) != config:
            await self._drop(name)
            self._configs[name] = config
            self._added.add(name)

    async def connect(self, name: str) -> None:
        """Raises TaggedNotFound."""
        self._known(name)
        await self._drop(name)
        await self._start(name)

    async def disconnect(self, name: str) -> None:
        """Raises TaggedNotFound."""
        self._known(name)
        await self._drop(name)
        self._statuses[name] = MCPStatusDisabled()

    async def _drop(self, name: str) -> None:
        flow = self._flows.pop(name, None)
        if flow is not None:
            flow.close()
        opening = self._opening.get(name)
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
        connection = self._connections.pop(name, None)
        if connection is not None:
            await connection.close()
        self._statuses.pop(name, None)
        self._restarts.pop(name, None)

    def _known(self, name: str) -> McpServerConfig:
        config = self._configs.get(name)
        if config is None:
            raise TaggedNotFound("McpServer", "name", name)
        return config

    # ── signing in ───────────────────────────────────────────────────────────────────────────

    async def start_auth(self, name: str) -> McpAuthorization:
        """Where a person signs in. Raises TaggedNotFound, McpUnsupportedOAuth, and DomainError when
        the server cannot be spoken to."""
        self._sign_in_config(name)
        await self._drop(name)
        from ostler.integrations.mcp.auth import Flow

        flow = self._flows[name] = Flow()
        opening = self._start(name, flow)
        either: list[asyncio.Future[Any]] = [opening, flow.url]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if flow.url.done() and not flow.url.cancelled():
            return McpAuthorization(authorizationUrl=flow.url.result(), oauthState=flow.state)
        self._flows.pop(name, None)
        if isinstance(self._status(name), MCPStatusConnected):
            return McpAuthorization(authorizationUrl="", oauthState="")
        raise DomainError("McpAuthError", _failure(name, self._status(name)))

    async def finish_auth(self, name: str, code: str) -> MCPStatus:
        """Give the code that the person brought back. Raises as ``start_auth``."""
        self._sign_in_config(name)
        flow = self._flows.get(name)
        if flow is None:
            raise DomainError("McpAuthError", f"No sign-in to MCP server {name} is going on")
        flow.give(code)
        return await self._signed_in(name)

    async def authenticate(self, name: str) -> MCPStatus:
        """Open a browser and wait for the person to come back. Raises as ``start_auth``."""
        from ostler.integrations.browser import open_browser
        from ostler.integrations.mcp.browser import Callback

        config = self._sign_in_config(name)
        authorization = await self.start_auth(name)
        flow = self._flows.get(name)
        if flow is None or not authorization.authorizationUrl:
            return self._status(name)
        async with Callback(config, flow):
            if not await open_browser(authorization.authorizationUrl, self._environment):
                self._tell(McpBrowserOpenFailed(mcpName=name, url=authorization.authorizationUrl))
            return await self._signed_in(name)

    async def _signed_in(self, name: str) -> MCPStatus:
        opening = self._opening.get(name)
        if opening is not None:
            await asyncio.wait([opening])
        self._flows.pop(name, None)
        return self._status(name)

    async def remove_auth(self, name: str) -> None:
        """Forget a sign-in, one that goes on included. Raises TaggedNotFound, OSError."""
        self._known(name)
        if name in self._flows:
            await self._drop(name)
        self._credentials.remove(name)

    def _sign_in_config(self, name: str) -> McpServerConfig:
        config = self._known(name)
        if isinstance(config, McpLocalConfig) or config.oauth is False:
            raise McpUnsupportedOAuth(name)
        return config

    # ── what the servers offer ───────────────────────────────────────────────────────────────

    def connected(self) -> "dict[str, Connection]":
        """By name, in the order of their names."""
        found = sorted(self._connections.items())
        return {name: c for name, c in found if isinstance(c.status, MCPStatusConnected)}

    def instructions(self) -> str:
        """What the servers tell the model about themselves, empty where they tell nothing."""
        blocks = []
        for name, connection in self.connected().items():
            if connection.offer.instructions:
                lines = connection.offer.instructions.strip().splitlines()
                indented = "\n".join(f"    {line}".rstrip() for line in lines)
                blocks.append(f'  <server name="{name}">\n{indented}\n  </server>')
        if not blocks:
            return ""
        return "\n".join(("<mcp_instructions>", *blocks, "</mcp_instructions>"))

    async def resources(self) -> "dict[str, list[types.Resource]]":
        """By server; one that fails to list them is left out."""
        readable = {n: c for n, c in self.connected().items() if c.offer.resources}
        lists = await asyncio.gather(
            *(c.resources() for c in readable.values()), return_exceptions=True
        )
        return {
            n: found for n, found in zip(readable, lists, strict=True) if isinstance(found, list)
        }

    def prompts(self) -> "dict[str, tuple[Connection, types.Prompt]]":
        """What the connected servers offer as commands, by the command's name."""
        return {
            command_name(name, prompt.name): (connection, prompt)
            for name, connection in self.connected().items()
            for prompt in connection.offer.prompts
        }

    async def close(self) -> None:
        await asyncio.gather(*(self._drop(name) for name in list(self._configs)))


def _failure(name: str, status: MCPStatus) -> str:
    reason = status.error if isinstance(status, MCPStatusFailed) else type(status).__name__
    return f"MCP server {name} cannot be connected to: {reason}"
