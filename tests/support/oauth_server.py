"""An OAuth server on loopback: the device flow and the authorization code flow with PKCE, as the
RFCs describe them, judged strictly."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit


class OAuthServer:
    """``lives``: seconds a token lives; ``pending``: how often the device flow says to wait;
    ``tokens``: those given out, ``asked``: the forms that were sent for them."""

    def __init__(self, lives: float = 3600, pending: int = 1) -> None:
        self.lives, self.pending = lives, pending
        self.tokens: list[str] = []
        self.asked: list[dict[str, str]] = []
        self.refusal: str | None = None
        self._challenges: dict[str, dict[str, str]] = {}
        self.url = ""

    def config(self, flow: str) -> dict[str, Any]:
        """``provider.<id>.oauth`` for it."""
        return {
            "flow": flow,
            "clientId": "ostler-test",
            "tokenUrl": f"{self.url}/token",
            "deviceUrl": f"{self.url}/device",
            "authorizeUrl": f"{self.url}/authorize",
            "scope": "models",
            "label": "Sign in",
        }

    def visit(self, url: str) -> str:
        """What a person's browser does at the provider's page: where it is sent back to."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        if self.refusal:
            back = {"error": self.refusal, "state": query["state"]}
        else:
            self._challenges["the-code"] = query
            back = {"code": "the-code", "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    async def __aenter__(self) -> "OAuthServer":
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        form = {k: v[0] for k, v in parse_qs((await reader.readexactly(length)).decode()).items()}
        assert form["client_id"] == "ostler-test"
        status, body = self._device(form) if path == "/device" else self._token(form)
        data = json.dumps(body).encode()
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%b" % (status, len(data), data)
        )
        await writer.drain()
        writer.close()

    def _device(self, form: dict[str, str]) -> tuple[int, Any]:
        assert form["scope"] == "models"
        return 200, {
            "device_code": "dev",
            "user_code": "ABCD-1234",
            "verification_uri": f"{self.url}/activate",
            "expires_in": 60,
            "interval": 0.01,
        }

    def _token(self, form: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(form)
        if self.refusal:
            return 400, {"error": "access_denied", "error_description": self.refusal}
        kind = form["grant_type"]
        if kind.endswith("device_code") and self.pending:
            self.pending -= 1
            return 400, {"error": "authorization_pending"}
        if kind == "authorization_code":
            query = self._challenges[form["code"]]
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            assert query["code_challenge"] == challenge
            assert query["redirect_uri"] == form["redirect_uri"]
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        return 200, {
            "access_token": self.tokens[-1],
            "refresh_token": "refresh",
            "expires_in": self.lives,
            "token_type": "bearer",
        }


@asynccontextmanager
async def site(described: Any) -> AsyncIterator[str]:
    """A site whose every page is this JSON."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        data = json.dumps(described).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
