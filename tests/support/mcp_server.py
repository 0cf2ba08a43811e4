"""An MCP server for tests, made with the official package.

    python mcp_server.py                                   over standard input and output
    python mcp_server.py http|sse|quiet|oauth PORT_FILE [no-registration] [port=PORT]

The served address's port is written to PORT_FILE once it listens. ``quiet`` says nothing by itself:
it is asked and answers, and keeps no session.
"""

import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def build(**options: Any) -> MCPServer:
    server = MCPServer("tester", instructions="Ask nicely.\nTwice.", **options)

    @server.tool()
    def echo(text: str) -> str:
        """Say it again."""
        return f"echo: {text}"

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise ToolError("no luck today")

    @server.tool()
    def picture() -> Image:
        """A pixel."""
        return Image(data=PIXEL, format="png")

    @server.tool()
    def die() -> str:
        """End the server."""
        os._exit(3)

    @server.tool()
    def spawn() -> str:
        """Start a program that outlives the call; answers its process id."""
        return str(subprocess.Popen(["sleep", "300"]).pid)

    @server.tool()
    def environment(variable: str) -> str:
        """A variable, and the working directory."""
        return f"{os.environ.get(variable)} in {os.getcwd()}"

    @server.tool()
    async def report(steps: int, ctx: Context) -> str:
        """Report progress, then answer."""
        for step in range(steps):
            await ctx.report_progress(step, steps, f"step {step}")
        return "reported"

    @server.tool()
    async def grow(ctx: Context) -> str:
        """Offer one more tool."""

        def grown() -> str:
            """New."""
            return "I am new"

        server.add_tool(grown)
        await ctx.session.send_tool_list_changed()
        return "grown"

    @server.tool()
    def sleep(seconds: float) -> str:
        """Take a while."""
        time.sleep(seconds)
        return "awake"

    @server.resource("memo://plain", name="plain", mime_type="text/plain")
    def plain() -> str:
        return "a plain memo"

    @server.resource("memo://{name}/text", name="memo", mime_type="text/plain")
    def memo(name: str) -> str:
        return f"a memo on {name}"

    @server.prompt(description="Greets.")
    def greet(who: str, how: str = "warmly") -> str:
        return f"Greet {who} {how}. Not run: !`echo nothing`"

    return server


class Provider:
    """An authorization server that says yes to everybody, at once."""

    def __init__(self) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.tokens: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.clients[client_info.client_id or ""] = client_info

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        code = AuthorizationCode(
            code=secrets.token_hex(16),
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id or "",
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        return self._token(client.client_id or "", authorization_code.scopes)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        return self._token(client.client_id or "", scopes)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.tokens.get(token)

    async def revoke_token(self, token: Any) -> None:
        self.tokens.pop(token.token, None)

    def _token(self, client_id: str, scopes: list[str]) -> OAuthToken:
        access, refresh = secrets.token_hex(16), secrets.token_hex(16)
        self.tokens[access] = AccessToken(token=access, client_id=client_id, scopes=scopes)
        self.refresh[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes)
        return OAuthToken(
            access_token=access, refresh_token=refresh, expires_in=3600, scope=" ".join(scopes)
        )


def main(arguments: list[str]) -> None:
    if not arguments:
        print("tester starts", file=sys.stderr)
        return build().run("stdio")
    kind, port_file, *more = arguments
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    wanted = [int(word[len("port=") :]) for word in more if word.startswith("port=")]
    listener.bind(("127.0.0.1", wanted[0] if wanted else 0))
    listener.listen(16)
    port = listener.getsockname()[1]
    Path(port_file + ".new").write_text(str(port))
    os.replace(port_file + ".new", port_file)
    config = uvicorn.Config(_app(kind, port, "no-registration" in more), log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
    return None


def _app(kind: str, port: int, no_registration: bool) -> Any:
    if kind == "sse":
        return build().sse_app()
    if kind in ("http", "quiet"):
        return build().streamable_http_app(stateless_http=kind == "quiet")
    here = AnyHttpUrl(f"http://127.0.0.1:{port}")
    settings = AuthSettings(
        issuer_url=here,
        resource_server_url=AnyHttpUrl(f"http://127.0.0.1:{port}/mcp"),
        client_registration_options=ClientRegistrationOptions(
            enabled=not no_registration, valid_scopes=["use"], default_scopes=["use"]
        ),
        required_scopes=["use"],
        validate_token_resource=False,
    )
    provider: Any = Provider()
    return build(auth=settings, auth_server_provider=provider).streamable_http_app()


if __name__ == "__main__":
    main(sys.argv[1:])
