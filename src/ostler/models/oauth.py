"""Signing in to a provider as a person: what a way to do so is, and the two of the standards.

A way (``SignInMethod``) is started, shows a person where to go, and ends in a credential that can
be renewed. ``provider.<id>.oauth`` in opencode.json describes one of: the device flow (RFC 8628)
and the authorization code flow with PKCE (RFC 6749, 7636), whose answer comes to a port of this
machine.
"""

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from ostler.schema.auth import Auth, OAuth
from ostler.schema.base import JsonObject
from ostler.schema.config import OAuthConfig
from ostler.schema.errors import OstlerError

PERSON_SECONDS = 300.0
"""How long a person has for signing in, unless the provider says otherwise."""
RENEW_SECONDS = 60.0
"""A token that runs out within this time is renewed before it is used."""
CALLBACK_PATH = "/auth/callback"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class SignInError(OstlerError):
    """The sign-in came to nothing; the message says why."""


class Started(msgspec.Struct):
    """A sign-in that waits for a person at ``url``. ``method``: ``auto`` where ``finish(None)``
    notices by itself, ``code`` where the person brings a code for it."""

    url: str
    method: Literal["auto", "code"]
    instructions: str
    finish: Callable[[str | None], Awaitable[Auth]]
    close: Callable[[], None] = lambda: None


class SignInMethod(Protocol):
    """A way to sign in; a plugin may bring its own. ``type``: ``oauth``, or ``api`` where it ends
    in a key; ``prompts``: what a person is asked before (OpenCode 1.18: ``{type: "text" | "select",
    key, message, …}``), answered in ``inputs``."""

    label: str
    type: Literal["oauth", "api"]
    prompts: Sequence[JsonObject]

    async def applies(self, prompt: int, inputs: dict[str, str]) -> bool:
        """Whether a prompt is to be asked, after these answers to those before it. Raises
        SignInError."""

    async def mistake(self, prompt: int, answer: str) -> str | None:
        """What is wrong with an answer; None: nothing. Raises SignInError."""

    async def start(self, inputs: dict[str, str]) -> Started:
        """Raises SignInError."""

    async def renew(self, kept: OAuth) -> OAuth:
        """Raises SignInError."""


def method_of(config: OAuthConfig) -> SignInMethod:
    """The way that a configuration describes."""
    return DeviceFlow(config) if config.flow == "device" else BrowserFlow(config)


class _Flow:
    type: Literal["oauth", "api"] = "oauth"
    prompts: Sequence[JsonObject] = ()

    def __init__(self, config: OAuthConfig) -> None:
        self._config = config
        self.label = config.label or "Sign in with a browser"

    async def applies(self, prompt: int, inputs: dict[str, str]) -> bool:
        return True

    async def mistake(self, prompt: int, answer: str) -> str | None:
        return None

    async def renew(self, kept: OAuth) -> OAuth:
        answer = await self._token(grant_type="refresh_token", refresh_token=kept.refresh)
        return _credential(answer, kept.refresh)

    async def _token(self, **fields: str) -> dict[str, Any]:
        return await self._post(self._config.tokenUrl, **fields)

    async def _post(self, url: str, **fields: str) -> dict[str, Any]:
        """The answer, an error of the protocol included. Raises SignInError."""
        import httpx

        sent = {"client_id": self._config.clientId, **fields}
        if self._config.clientSecret:
            sent["client_secret"] = self._config.clientSecret
        try:
            async with httpx.AsyncClient(timeout=30) as client:
                answer = await client.post(url, data=sent, headers={"accept": "application/json"})
            decoded: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
        except httpx.HTTPError as e:
            raise SignInError(f"{url}: {e}") from None
        except msgspec.DecodeError:
            raise SignInError(f"{url} answered {answer.status_code} without JSON") from None
        return decoded


class DeviceFlow(_Flow):
    """A code that a person types at the provider's page, on any device."""

    async def start(self, inputs: dict[str, str]) -> Started:
        config = self._config
        if not config.deviceUrl:
            raise SignInError("oauth.deviceUrl is missing: the device flow begins there")
        scope = {"scope": config.scope} if config.scope else {}
        answer = _checked(await self._post(config.deviceUrl, **scope))
        url = answer.get("verification_uri_complete") or answer.get("verification_uri")
        if not url or "device_code" not in answer:
            raise SignInError(f"{config.deviceUrl} gave no device code")

        async def finish(_code: str | None) -> OAuth:
            return await self._poll(answer)

        return Started(url, "auto", f"Enter code: {answer.get('user_code', '')}", finish)

    async def _poll(self, device: dict[str, Any]) -> OAuth:
        interval = float(device.get("interval") or 5)
        deadline = time.monotonic() + float(device.get("expires_in") or PERSON_SECONDS)
        while time.monotonic() < deadline:
            await asyncio.sleep(interval)
            answer = await self._token(grant_type=_DEVICE, device_code=device["device_code"])
            error = answer.get("error")
            if error == "slow_down":
                interval += 5
            elif error != "authorization_pending":
                return _credential(_checked(answer))
        raise SignInError("nobody signed in in time")


class BrowserFlow(_Flow):
    """A page of the provider that sends the browser back to this machine."""

    async def start(self, inputs: dict[str, str]) -> Started:
        config = self._config
        if not config.authorizeUrl:
            raise SignInError("oauth.authorizeUrl is missing: the browser is sent there")
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        digest = hashlib.sha256(verifier.encode()).digest()
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        server = await _listen(config.callbackPort or 0, state, answered)
        asyncio.get_running_loop().call_later(PERSON_SECONDS, server.close)
        port = server.sockets[0].getsockname()[1]
        redirect = f"http://127.0.0.1:{port}{CALLBACK_PATH}"
        query = {
            "response_type": "code",
            "client_id": config.clientId,
            "redirect_uri": redirect,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **({"scope": config.scope} if config.scope else {}),
        }

        async def finish(code: str | None) -> OAuth:
            try:
                if code is None:
                    async with asyncio.timeout(PERSON_SECONDS):
                        code = await answered
            except TimeoutError:
                raise SignInError("nobody signed in in time") from None
            finally:
                server.close()
            fields = {"code": code, "redirect_uri": redirect, "code_verifier": verifier}
            return _credential(
                _checked(await self._token(grant_type="authorization_code", **fields))
            )

        joint = "&" if urlsplit(config.authorizeUrl).query else "?"
        url = f"{config.authorizeUrl}{joint}{urlencode(query)}"
        return Started(url, "auto", "Sign in in the browser.", finish, server.close)


async def _listen(port: int, state: str, answered: "asyncio.Future[str]") -> asyncio.Server:
    """A server that takes one answer of a provider's page. Raises SignInError."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                line = await reader.readline()
        except TimeoutError:
            line = b""
        target = urlsplit(line.split()[1].decode() if len(line.split()) > 1 else "")
        found = {k: v[0] for k, v in parse_qs(target.query).items()}
        said, status = "Signed in. You can close this page.", "200 OK"
        if target.path != CALLBACK_PATH or found.get("state") != state:
            said, status = "This is no answer to a sign-in that is going on.", "400 Bad Request"
        elif not answered.done():
            if "code" in found:
                answered.set_result(found["code"])
            else:
                why = found.get("error_description") or found.get("error") or "no code came back"
                answered.set_exception(SignInError(why))
                said = "The sign-in failed. You can close this page."
        body = said.encode()
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()

    try:
        return await asyncio.start_server(take, "127.0.0.1", port)
    except OSError as e:
        raise SignInError(f"cannot listen on 127.0.0.1:{port}: {e.strerror}") from None


def needs_renewal(kept: OAuth) -> bool:
    return bool(kept.expires) and kept.expires / 1000 < time.time() + RENEW_SECONDS


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("error"):
        raise SignInError(str(answer.get("error_description") or answer["error"]))
    return answer


def _credential(answer: dict[str, Any], refresh: str = "") -> OAuth:
    answer = _checked(answer)
    if not answer.get("access_token"):
        raise SignInError("the provider gave no access token")
    lives = answer.get("expires_in")
    expires = (time.time() + float(lives)) * 1000 if lives else 0
    return OAuth(
        access=str(answer["access_token"]),
        refresh=str(answer.get("refresh_token") or refresh),
        expires=int(expires),
    )
