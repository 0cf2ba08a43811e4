"""One MCP server: its process or address, the session with it, and what it offers.

The package's connections live in task groups, which one task must both enter and leave: ``_own`` is
that task, from the connection's beginning to its end.
"""

import asyncio
import logging
import math
import os
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, TypeVar

import anyio
import httpx2
import mcp_types as types
import msgspec
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from pydantic import FileUrl, ValidationError

from ostler.integrations.mcp.auth import Flow, SignIn
from ostler.integrations.mcp.credentials import McpCredentials
from ostler.integrations.mcp.local import local_client
from ostler.programs import LastLines
from ostler.schema.config import McpOAuthConfig
from ostler.schema.mcp import (
    McpLocalConfig,
    McpRemoteConfig,
    McpServerConfig,
    MCPStatus,
    MCPStatusConnected,
    MCPStatusDisabled,
    MCPStatusFailed,
    MCPStatusNeedsAuth,
    MCPStatusNeedsClientRegistration,
)

CONNECT_SECONDS = 30.0
LIST_SECONDS = 30.0
CALL_SECONDS = 60.0
"""Without progress reports; each report starts the time anew (OpenCode 1.18)."""
MOST_PAGES = 1000
SILENT_SECONDS = 30.0
"""Without a word from a remote server, after which it is asked whether it is there before use."""
PING_SECONDS = 5.0
END_SECONDS = 5.0
"""For taking leave of a server."""
_BROKEN = (types.CONNECTION_CLOSED, types.INVALID_REQUEST, types.INTERNAL_ERROR)
"""Errors that requests end in when the server, or its memory of this session, is gone."""

CLOSED = "Connection closed"

log = logging.getLogger("ostler.mcp")
T = TypeVar("T")
Progress = Callable[[str], None]


class Offer(msgspec.Struct, frozen=True):
    """What a server offers by name. ``resources``: it can be asked for some."""

    tools: list[types.Tool] = []
    prompts: list[types.Prompt] = []
    resources: bool = False
    instructions: str | None = None


class McpError(Exception):
    """A request to a server failed; the text says why."""


class Connection:
    """``changed`` is called when the offer changes while connected, and when the connection is
    lost. ``directory``: the root that servers are told of, and where local ones run."""

    def __init__(
        self,
        name: str,
        config: McpServerConfig,
        *,
        directory: str,
        environment: Mapping[str, str],
        version: str,
        credentials: McpCredentials,
        call_seconds: float | None,
        changed: Callable[[], None],
    ) -> None:
        self.name, self.config = name, config
        self.status: MCPStatus = MCPStatusDisabled()
        self.offer = Offer()
        self._directory, self._environment, self._version = directory, environment, version
        self._credentials, self._changed = credentials, changed
        own = config.timeout / 1000 if config.timeout else None
        self._connect_seconds = own or CONNECT_SECONDS
        self._list_seconds = own or LIST_SECONDS
        self._call_seconds = own or call_seconds or CALL_SECONDS
        self._templates: dict[str, str] = {}
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._connecting: anyio.CancelScope | None = None
        self._stop = asyncio.Event()
        self._relisting: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        self._asking = 0
        self._heard = self.connected_at = 0.0

    # ── its life ─────────────────────────────────────────────────────────────────────────────

    async def open(self, flow: Flow | None = None) -> None:
        """Connect; ``status`` says how it went. With ``flow`` a person may be asked to sign in."""
        await self.close()
        self._stop = asyncio.Event()
        settled = asyncio.Event()
        self._task = asyncio.create_task(self._own(settled, flow))
        await settled.wait()

    async def close(self) -> None:
        """Disconnect, and end a local server with everything it started."""
        task, self._task = self._task, None
        self._stop.set()
        if self._checking is not None:
            self._checking.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        if task is not None:
            await asyncio.wait([task])
        self.status, self.offer = MCPStatusDisabled(), Offer()

    async def _own(self, settled: asyncio.Event, flow: Flow | None) -> None:
        try:
            await self._connect(settled, flow)
        except Exception as e:
            log.exception("MCP server %s failed unexpectedly", self.name)
            self.status = MCPStatusFailed(error=_told(e))
        finally:
            self._client = None
            settled.set()

    async def _connect(self, settled: asyncio.Event, flow: Flow | None) -> None:
        """Try each way of connecting in turn, and stay in the first that works until it ends."""
        for way in self._ways(flow):
            stderr = LastLines()
            deadline = self._connecting = anyio.CancelScope()
            try:
                with deadline:
                    await self._stay(way, stderr, deadline, settled, patient=flow is not None)
                if self._stop.is_set() or not deadline.cancelled_caught:
                    return
                raise TimeoutError(f"No answer within {self._connect_seconds:g} s")
            except Exception as e:
                if settled.is_set():
                    log.info("MCP server %s did not end well: %s", self.name, _told(e))
                    self._lose(CLOSED)
                    return
                self.status = self._refusal(way, e, stderr)
                log.info("MCP server %s: %s", self.name, self.status)
                if isinstance(self.status, MCPStatusNeedsAuth | MCPStatusNeedsClientRegistration):
                    return
            finally:
                self._connecting = None

    async def _stay(
        self,
        way: "_Way",
        stderr: LastLines,
        deadline: anyio.CancelScope,
        settled: asyncio.Event,
        patient: bool,
    ) -> None:
        """Connect, and return when the connection has ended. ``deadline`` is what it is bounded
        with while it connects; ``patient``: a person is being waited for."""
        if not patient:
            deadline.deadline = anyio.current_time() + self._connect_seconds
        async with AsyncExitStack() as stack:
            lost = asyncio.Event()
            client = await self._enter(stack, way, stderr, lost)
            deadline.deadline = anyio.current_time() + self._list_seconds
            await self._list(client)
            deadline.deadline = math.inf
            self._connecting = None
            self._client, self.status = client, MCPStatusConnected()
            self.connected_at = time.monotonic()
            settled.set()
            await self._wait_for_end(lost)
            self._client = None
            deadline.deadline = anyio.current_time() + END_SECONDS

    async def _wait_for_end(self, lost: asyncio.Event) -> None:
        waits = [asyncio.create_task(lost.wait()), asyncio.create_task(self._stop.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._stop.is_set():
            self._lose(CLOSED)

    def _lose(self, reason: str) -> None:
        """The connection is of no use any more."""
        self._stop.set()
        if isinstance(self.status, MCPStatusConnected):
            self.status, self.offer = MCPStatusFailed(error=reason), Offer()
            self._changed()

    # ── whether it is still there ────────────────────────────────────────────────────────────

    async def check(self) -> None:
        """Ask a remote server that has been silent for long; ``status`` says what came of it."""
        if time.monotonic() - self._heard >= SILENT_SECONDS:
            self._doubt()
        if self._checking is not None:
            await asyncio.wait([self._checking])

    def _doubt(self) -> None:
        """Ask a remote server whether it is there; a local one's output closes when it ends. One
        that is working on a request may have no time to answer: then it is the request that
        tells."""
        client = self._client if isinstance(self.config, McpRemoteConfig) else None
        if client and not (self._asking or self._checking or self._stop.is_set()):
            self._checking = asyncio.create_task(self._ping(client))

    async def _ping(self, client: Client) -> None:
        reason = None
        with warnings.catch_warnings():  # the protocol's next version has no pings
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            asked = client.send_ping()
        try:
            async with asyncio.timeout(PING_SECONDS):
                await asked
        except TimeoutError:
            reason = f"No answer within {PING_SECONDS:g} s"
        except MCPError as e:
            if e.code != types.METHOD_NOT_FOUND:  # an answer, if a poor one
                reason = CLOSED if e.code == types.CONNECTION_CLOSED else e.message
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, httpx2.HTTPError) as e:
            reason = _told(e)
        finally:
            self._checking = None
        if reason is not None:
            self._lose(reason)

    def _hear(self) -> None:
        self._heard = time.monotonic()

    def _refusal(self, way: "_Way", error: BaseException, stderr: LastLines) -> MCPStatus:
        refused = way.sign_in.refused if way.sign_in else None
        if refused == "auth":
            return MCPStatusNeedsAuth()
        if refused == "registration":
            return MCPStatusNeedsClientRegistration(
                error="The server does not register clients by itself; set oauth.clientId"
            )
        return MCPStatusFailed(error="\n".join(filter(None, (_told(error), stderr.text()))))

    # ── ways to connect ──────────────────────────────────────────────────────────────────────

    def _ways(self, flow: Flow | None) -> list["_Way"]:
        if isinstance(self.config, McpLocalConfig):
            return [_Local(self.config, self._directory, self._environment)]
        sign_in = self._sign_in(self.config, flow)
        return [_Http(self.config, sign_in, self._doubt), _Sse(self.config, sign_in)]

    def _sign_in(self, config: McpRemoteConfig, flow: Flow | None) -> SignIn | None:
        if config.oauth is False:
            return None
        oauth = config.oauth if isinstance(config.oauth, McpOAuthConfig) else McpOAuthConfig()
        return SignIn(self.name, config.url, oauth, self._credentials, flow)

    async def _enter(
        self, stack: AsyncExitStack, way: "_Way", stderr: LastLines, lost: asyncio.Event
    ) -> Client:
        client = Client(
            _watched(way.open(stderr), lost, self._hear),
            mode="legacy",
            list_roots_callback=self._roots,
            logging_callback=self._log,
            message_handler=self._notified,
            client_info=types.Implementation(name="ostler", version=self._version),
            cache=None,
        )
        return await stack.enter_async_context(client)

    async def _roots(self, context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=FileUrl(f"file://{self._directory}"))])

    async def _log(self, params: Any) -> None:
        log.info("MCP server %s: %s: %s", self.name, params.level, params.data)

    async def _notified(self, message: Any) -> None:
        changes = (types.ToolListChangedNotification, types.PromptListChangedNotification)
        if isinstance(message, changes) and self._client and self._relisting is None:
            self._relisting = asyncio.create_task(self._list_again(self._client))

    # ── what it offers ───────────────────────────────────────────────────────────────────────

    async def _list(self, client: Client) -> None:
        able = client.server_capabilities
        self._templates.clear()
        self.offer = Offer(
            tools=await _pages(client.list_tools, "tools") if able.tools else [],
            prompts=await _pages(client.list_prompts, "prompts") if able.prompts else [],
            resources=able.resources is not None,
            instructions=client.instructions,
        )

    async def _list_again(self, client: Client) -> None:
        try:
            async with asyncio.timeout(self._list_seconds):
                await self._list(client)
        except (MCPError, TimeoutError, ValidationError) as e:
            log.warning("MCP server %s cannot list what it offers: %s", self.name, e)
            return
        finally:
            self._relisting = None
        self._changed()

    async def resources(self) -> list[types.Resource]:
        """Raises McpError."""
        return await self._ask(lambda c: _pages(c.list_resources, "resources"))

    async def resource_templates(self) -> list[types.ResourceTemplate]:
        """Raises McpError."""
        return await self._ask(lambda c: _pages(c.list_resource_templates, "resource_templates"))

    async def read_resource(self, uri: str) -> types.ReadResourceResult:
        """Raises McpError."""
        return await self._ask(lambda c: c.read_resource(uri))

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        """The texts of a prompt. Raises McpError."""
        result = await self._ask(lambda c: c.get_prompt(name, arguments))
        texts = [getattr(message.content, "text", "") for message in result.messages]
        return "\n".join(text for text in texts if text)

    async def template(self, name: str, arguments: dict[str, str]) -> str:
        """The same, kept as long as the server's offer is."""
        if name not in self._templates:
            self._templates[name] = await self.prompt(name, arguments)
        return self._templates[name]

    async def call(
        self, tool: str, arguments: dict[str, Any], show: Progress
    ) -> types.CallToolResult:
        """Raises McpError, also when the server is silent for too long."""

        async def run(client: Client, deadline: asyncio.Timeout) -> types.CallToolResult:
            async def on_progress(
                progress: float, total: float | None, message: str | None
            ) -> None:
                deadline.reschedule(asyncio.get_running_loop().time() + self._call_seconds)
                if message:
                    show(message)

            return await client.call_tool(tool, arguments, progress_callback=on_progress)

        return await self._timed(run)

    async def _ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        return await self._timed(lambda client, _deadline: question(client))

    async def _timed(self, ask: Callable[[Client, asyncio.Timeout], Awaitable[T]]) -> T:
        client = self._client
        if client is None:
            raise McpError(f"MCP server {self.name} is not connected")
        self._asking += 1
        broken = False
        try:
            async with asyncio.timeout(self._call_seconds) as deadline:
                return await ask(client, deadline)
        except TimeoutError:
            raise McpError(
                f"MCP server {self.name} did not answer within {self._call_seconds:g} s"
            ) from None
        except MCPError as e:
            broken = e.code in _BROKEN
            raise McpError(f"MCP server {self.name}: {e.message}") from None
        except (ValidationError, RuntimeError, ValueError) as e:
            raise McpError(f"MCP server {self.name} answered what it should not: {e}") from None
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, httpx2.HTTPError) as e:
            broken = True
            raise McpError(f"MCP server {self.name}: {_told(e)}") from None
        finally:
            self._asking -= 1
            if broken:
                self._doubt()


async def _pages(ask: Callable[..., Awaitable[Any]], field: str) -> list[Any]:
    """Every page of a list. Raises ValueError when the pages do not end."""
    found: list[Any] = []
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        page = await ask(cursor=cursor)
        found += getattr(page, field)
        cursor = page.next_cursor
        if not cursor:
            return found
        if cursor in seen:
            raise ValueError(f"its list of {field} repeats the cursor {cursor!r}")
        seen.add(cursor)
    raise ValueError(f"its list of {field} has more than {MOST_PAGES} pages")


# ── transports ───────────────────────────────────────────────────────────────────────────────


class _Way:
    """One way to connect to a server."""

    sign_in: SignIn | None = None

    def open(self, stderr: LastLines) -> Any:
        """The package's transport, not entered yet."""
        raise NotImplementedError


class _Local(_Way):
    def __init__(
        self, config: McpLocalConfig, directory: str, environment: Mapping[str, str]
    ) -> None:
        self._config = config
        self._directory = os.path.normpath(os.path.join(directory, config.cwd or "."))
        self._environment = {**environment, **(config.environment or {})}

    def open(self, stderr: LastLines) -> Any:
        return local_client(self._config.command, self._directory, self._environment, stderr)


class _Http(_Way):
    """``ended`` is called when the stream of what the server says by itself has ended."""

    def __init__(
        self, config: McpRemoteConfig, sign_in: SignIn | None, ended: Callable[[], None]
    ) -> None:
        self._config, self.sign_in, self._ended = config, sign_in, ended

    def open(self, stderr: LastLines) -> Any:
        return self._connect()

    async def _follow(self, response: httpx2.Response) -> None:
        if response.request.method == "GET" and isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Followed(response.stream, self._ended)

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[Any]:
        client = create_mcp_http_client(headers=self._config.headers, auth=self.sign_in)
        client.event_hooks = {"response": [self._follow]}
        async with client, streamable_http_client(self._config.url, http_client=client) as streams:
            yield streams


class _Sse(_Way):
    """The transport that streamable HTTP replaced in 2025."""

    def __init__(self, config: McpRemoteConfig, sign_in: SignIn | None) -> None:
        self._config, self.sign_in = config, sign_in

    def open(self, stderr: LastLines) -> Any:
        return sse_client(
            self._config.url,
            headers=self._config.headers,
            auth=self.sign_in,
            sse_read_timeout=float("inf"),
        )


class _Followed(httpx2.AsyncByteStream):
    """A response's bytes, with word of their end, however it comes."""

    def __init__(self, stream: httpx2.AsyncByteStream, ended: Callable[[], None]) -> None:
        self._stream, self._ended = stream, ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        finally:
            self._ended()

    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def _watched(
    transport: Any, lost: asyncio.Event, heard: Callable[[], None]
) -> AsyncIterator[Any]:
    """The transport, with ``lost`` set when the server has nothing more to say, and ``heard``
    called for each message."""
    async with transport as (read, write):
        yield _Watched(read, lost, heard), write


class _Watched:
    def __init__(self, stream: Any, lost: asyncio.Event, heard: Callable[[], None]) -> None:
        self._stream, self._lost, self._heard = stream, lost, heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> "_Watched":
        return self

    async def __anext__(self) -> Any:
        try:
            message = await self._stream.__anext__()
        except StopAsyncIteration:
            self._lost.set()
            raise
        self._heard()
        return message

    async def __aenter__(self) -> "_Watched":
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        result: bool | None = await self._stream.__aexit__(kind, error, trace)
        return result


def _told(error: BaseException) -> str:
    """What went wrong, in the words of the innermost error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return f"Invalid MCP URL: {error}"
    return str(error) or type(error).__name__
