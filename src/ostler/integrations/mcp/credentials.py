"""What is kept of sign-ins to MCP servers: ``mcp-auth.json``, readable by its owner alone.

The names are those of OpenCode's file of the same name, which is not read: a refresh token is good
for one program only.
"""

import logging
import os

import msgspec

from ostler.config.merge import Raw
from ostler.config.write import read_private, write_private
from ostler.schema.base import Wire

NAME = "mcp-auth.json"

log = logging.getLogger("ostler.mcp")


class Tokens(Wire):
    """``expiresAt`` in seconds since 1970."""

    accessToken: str
    refreshToken: str | None = None
    expiresAt: int | None = None
    scope: str | None = None


class ClientInfo(Wire):
    """A registration; times in seconds since 1970."""

    clientId: str
    clientSecret: str | None = None
    clientIdIssuedAt: int | None = None
    clientSecretExpiresAt: int | None = None
    issuer: str | None = None


class Entry(Wire):
    """Of one server; it counts only as long as the server's address is ``serverUrl``."""

    serverUrl: str
    tokens: Tokens | None = None
    clientInfo: ClientInfo | None = None


class McpCredentials:
    """Read anew each time: another process may have signed in."""

    def __init__(self, data: str) -> None:
        self._path = os.path.join(data, NAME)

    def get(self, name: str, url: str) -> Entry | None:
        try:
            entry = msgspec.convert(self._read().get(name), Entry | None)
        except msgspec.ValidationError as e:
            log.warning("%s: the entry of %s is left out: %s", self._path, name, e)
            return None
        return entry if entry and entry.serverUrl == url else None

    def set(self, name: str, entry: Entry) -> None:
        """Raises OSError."""
        write_private(self._path, {**self._read(), name: msgspec.to_builtins(entry)})

    def remove(self, name: str) -> None:
        """Raises OSError."""
        entries = self._read()
        if entries.pop(name, None) is not None:
            write_private(self._path, entries)

    def _read(self) -> Raw:
        return read_private(self._path, Raw, log)
