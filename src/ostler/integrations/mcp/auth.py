"""Signing in to remote servers: what is kept between runs, and the flow a person goes through.

The protocol (discovery, registration, PKCE, refresh) is the official package's.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx2
import msgspec
from mcp.client.auth import OAuthClientProvider, OAuthFlowError, OAuthRegistrationError
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from ostler.integrations.mcp.credentials import ClientInfo, Entry, McpCredentials, Tokens
from ostler.schema.config import McpOAuthConfig

CALLBACK_PORT = 19876
CALLBACK_PATH = "/mcp/oauth/callback"
PERSON_SECONDS = 300.0
"""How long a person has for signing in (OpenCode 1.18)."""


class SignInNeededError(Exception):
    """The server wants a person to sign in, and this connection may not ask one."""


class Flow:
    """One sign-in: where the person is sent, and the code that comes back."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.url: asyncio.Future[str] = loop.create_future()
        self._code: asyncio.Future[str] = loop.create_future()

    @property
    def state(self) -> str:
        """What the callback must bring back."""
        return parse_qs(urlsplit(self.url.result()).query).get("state", [""])[0]

    def give(self, code: str) -> None:
        if not self._code.done():
            self._code.set_result(code)

    def fail(self, reason: str) -> None:
        """The person came back without a code."""
        if not self._code.done():
            self._code.set_exception(OAuthFlowError(f"The sign-in failed: {reason}"))

    async def ask(self, url: str) -> None:
        if not self.url.done():
            self.url.set_result(url)

    async def answer(self) -> AuthorizationCodeResult:
        """Raises TimeoutError when nobody signs in."""
        async with asyncio.timeout(PERSON_SECONDS):
            code = await self._code
        return AuthorizationCodeResult(code=code, state=self.state)

    def close(self) -> None:
        self.url.cancel()
        self._code.cancel()


class SignIn(OAuthClientProvider):
    """Puts a server's tokens on every request. ``refused`` says after a failed connection whether
    it was for want of a sign-in (``auth``) or of a client id (``registration``)."""

    def __init__(
        self, name: str, url: str, config: McpOAuthConfig, kept: McpCredentials, flow: Flow | None
    ) -> None:
        self.refused: str | None = None
        self._flow, self._scope = flow, config.scope
        super().__init__(
            url, _metadata(config), _Storage(name, url, config, kept), self._send, self._receive
        )

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """The package's, watched: its transports turn what goes wrong here into other errors."""
        flow = super().async_auth_flow(request)
        try:
            outgoing = await anext(flow)
            while True:
                outgoing = await flow.asend((yield outgoing))
        except StopAsyncIteration:
            return
        except OAuthRegistrationError:
            self.refused = "registration"
            raise
        except SignInNeededError:
            self.refused = "auth"
            raise
        finally:
            await flow.aclose()

    async def _send(self, url: str) -> None:
        if self._flow is None:
            raise SignInNeededError
        await self._flow.ask(_with_scope(url, self._scope) if self._scope else url)

    async def _receive(self) -> AuthorizationCodeResult:
        assert self._flow is not None  # _send came first
        return await self._flow.answer()


def redirect_uri(config: McpOAuthConfig) -> str:
    port = config.callbackPort or CALLBACK_PORT
    return config.redirectUri or f"http://127.0.0.1:{port}{CALLBACK_PATH}"


def _metadata(config: McpOAuthConfig) -> OAuthClientMetadata:
    return OAuthClientMetadata(
        client_name="Ostler",
        redirect_uris=[AnyUrl(redirect_uri(config))],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="client_secret_post" if config.clientSecret else "none",
        scope=config.scope,
    )


def _with_scope(url: str, scope: str) -> str:
    """The package asks for every scope the server has; a configured one comes first."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return urlunsplit(parts._replace(query=urlencode({**query, "scope": scope})))


class _Storage:
    """The package's view of what is kept for one server."""

    def __init__(self, name: str, url: str, config: McpOAuthConfig, kept: McpCredentials) -> None:
        self._name, self._url, self._config, self._kept = name, url, config, kept

    def _entry(self) -> Entry:
        return self._kept.get(self._name, self._url) or Entry(serverUrl=self._url)

    def _save(self, **changes: Any) -> None:
        self._kept.set(self._name, msgspec.structs.replace(self._entry(), **changes))

    async def get_tokens(self) -> OAuthToken | None:
        tokens = self._entry().tokens
        if tokens is None:
            return None
        left = None if tokens.expiresAt is None else int(tokens.expiresAt - time.time())
        expired = left is not None and left <= 0
        return OAuthToken(
            access_token="" if expired else tokens.accessToken,  # "" makes the package refresh
            refresh_token=tokens.refreshToken,
            expires_in=left,
            scope=tokens.scope,
        )

    async def set_tokens(self, tokens: OAuthToken) -> None:
        expires = None if tokens.expires_in is None else int(time.time()) + tokens.expires_in
        self._save(
            tokens=Tokens(
                accessToken=tokens.access_token,
                refreshToken=tokens.refresh_token,
                expiresAt=expires,
                scope=tokens.scope,
            )
        )

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        info = self._entry().clientInfo
        if self._config.clientId:
            info = ClientInfo(
                clientId=self._config.clientId, clientSecret=self._config.clientSecret
            )
        if info is None or (
            info.clientSecretExpiresAt and info.clientSecretExpiresAt < time.time()
        ):
            return None
        return OAuthClientInformationFull(
            client_id=info.clientId,
            client_secret=info.clientSecret,
            client_id_issued_at=info.clientIdIssuedAt,
            client_secret_expires_at=info.clientSecretExpiresAt,
            redirect_uris=[AnyUrl(redirect_uri(self._config))],
            token_endpoint_auth_method="client_secret_post" if info.clientSecret else "none",
            issuer=info.issuer,
        )

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._save(
            clientInfo=ClientInfo(
                clientId=client_info.client_id or "",
                clientSecret=client_info.client_secret,
                clientIdIssuedAt=client_info.client_id_issued_at,
                clientSecretExpiresAt=client_info.client_secret_expires_at,
                issuer=str(client_info.issuer) if client_info.issuer else None,
            )
        )
