"""A sign-in on this machine: the address that the browser comes back to."""

import asyncio
import hmac
import html
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ostler.integrations.mcp.auth import Flow, redirect_uri
from ostler.schema.config import McpOAuthConfig
from ostler.schema.errors import DomainError
from ostler.schema.mcp import McpServerConfig

_REQUEST_BYTES = 16_384
_REQUEST_SECONDS = 10.0


class Callback:
    """Listens at a server's redirect address and tells the flow what the person brings back.
    Raises DomainError when the port is taken."""

    def __init__(self, config: McpServerConfig, flow: Flow) -> None:
        oauth = getattr(config, "oauth", None)
        self._uri = urlsplit(
            redirect_uri(oauth if isinstance(oauth, McpOAuthConfig) else McpOAuthConfig())
        )
        self._flow = flow
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Callback":
        if self._uri.hostname not in ("127.0.0.1", "localhost"):
            return self  # the person comes back elsewhere, and a client brings the code
        try:
            self._server = await asyncio.start_server(
                self._answer, "127.0.0.1", self._uri.port or 80, limit=_REQUEST_BYTES
            )
        except OSError as e:
            raise DomainError(
                "McpAuthError", f"Cannot listen on port {self._uri.port} for the sign-in: {e}"
            ) from None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, said = self._judge(head.split(b" ")[1].decode("ascii"))
                page = f"<!doctype html><title>Ostler</title><p>{html.escape(said)}</p>".encode()
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n"
                    f"Content-Length: {len(page)}\r\nConnection: close\r\n\r\n".encode()
                    + page
                )
                await writer.drain()
        except (OSError, ValueError, IndexError, TimeoutError, asyncio.IncompleteReadError):
            pass  # whoever it was, it was no browser coming back
        except asyncio.LimitOverrunError:
            pass
        finally:
            writer.close()

    def _judge(self, target: str) -> tuple[str, str]:
        url = urlsplit(target)
        if url.path != self._uri.path:
            return "404 Not Found", "There is nothing here."
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if not hmac.compare_digest(query.get("state", ""), self._flow.state):
            return "400 Bad Request", "This sign-in was not started here."
        if "code" not in query:
            self._flow.fail(_reason(query))
            return "400 Bad Request", f"The sign-in failed: {_reason(query)}"
        self._flow.give(query["code"])
        return "200 OK", "Signed in. You can close this page."


def _reason(query: Mapping[str, Any]) -> str:
    return str(query.get("error_description") or query.get("error") or "no code came back")
