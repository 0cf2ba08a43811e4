"""Who may ask: passwords, host names, and whose pages."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ostler.server.asgi import Request, Response, json_response

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_PUBLIC = frozenset(
    ("/site.webmanifest", "/web-app-manifest-192x192.png", "/web-app-manifest-512x512.png")
)


class Access(msgspec.Struct, frozen=True):
    """Who may talk to the server. ``password`` None: whoever reaches it. ``hosts``: names the Host
    header may carry besides loopback's, empty for any; ``origins``: web origins allowed."""

    password: str | None = None
    username: str = "opencode"
    hosts: frozenset[str] = frozenset()
    any_host: bool = False
    origins: frozenset[str] = frozenset()


class Guard:
    def __init__(self, access: Access) -> None:
        self._access = access

    def refuse(self, request: Request) -> Response | None:
        """The refusal of a request that may not be served, None for one that may."""
        if not self.allows_host(request.headers):
            return json_response(
                _forbidden(
                    f"Host {request.headers.get('host', '')!r} is not one of this server's names; "
                    "add it with --hostname or server.hostname"
                ),
                403,
            )
        if request.method not in _SAFE and not self.allows_origin(request.headers):
            return json_response(foreign(request), 403)
        if request.method == "OPTIONS" or (request.method == "GET" and request.path in _PUBLIC):
            return None
        if self._access.password is not None and not self._authorized(request):
            return self._unauthorized(request)
        return None

    def allows_host(self, headers: Mapping[str, str]) -> bool:
        """A page that rebinds its name to this address is told apart by its Host header."""
        if self._access.any_host:
            return True
        host = urlsplit("//" + headers.get("host", "")).hostname or ""
        return is_loopback(host) or host in self._access.hosts

    def allows_origin(self, headers: Mapping[str, str]) -> bool:
        """A browser says which site's page a request comes from; programs say nothing. A page may
        send some requests without being able to read the answers: those are refused."""
        origin = headers.get("origin")
        if origin is None or origin in self._access.origins:
            return True
        return urlsplit(origin).netloc == headers.get("host")

    def _authorized(self, request: Request) -> bool:
        token = request.query.get("auth_token")
        if token is None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "basic":
                return False
        try:
            given = base64.b64decode(token.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        expected = f"{self._access.username}:{self._access.password}".encode()
        return hmac.compare_digest(given, expected)

    def _unauthorized(self, request: Request) -> Response:
        headers = [("www-authenticate", 'Basic realm="Secure Area"')]
        if request.path.startswith("/api/"):
            body = b'{"_tag":"UnauthorizedError","message":"Authentication required"}'
            return Response(body, 401, headers=headers)
        return Response(b"", 401, "", headers)


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _forbidden(message: str) -> dict[str, Any]:
    return {"name": "Forbidden", "data": {"message": message}}


def foreign(request: Request) -> dict[str, Any]:
    origin = request.headers.get("origin")
    return _forbidden(f"Pages of {origin!r} may not do this; --cors or server.cors allows them")
