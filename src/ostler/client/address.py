"""Where a server is, and how one shows that one may talk to it."""

import base64
import ipaddress
import math
import os
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import msgspec

DEFAULT_URL = "http://127.0.0.1:4096"
DEFAULT_DEADLINE = 60.0
"""Seconds a call may take."""
MODEL_DEADLINE = 600.0
"""Seconds a call may take that waits for a model, or for a person."""


class Address(msgspec.Struct, frozen=True):
    """``url`` has no slash at its end and no user in it; ``authorization`` is a header's value."""

    url: str
    authorization: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, for which no proxy is asked."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified


def address_of(
    url: str | None,
    username: str | None,
    password: str | None,
    environment: Mapping[str, str] | None = None,
) -> Address:
    """What is not given is taken from the URL itself, then from OPENCODE_API_URL,
    OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD. Raises ValueError."""
    variables = os.environ if environment is None else environment
    url = url or variables.get("OPENCODE_API_URL") or DEFAULT_URL
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname or not _has_good_port(parts):
        raise ValueError(f"not the URL of a server: {url!r}")
    username = username or unquote(parts.username or "")
    password = password or unquote(parts.password or "")
    username = username or variables.get("OPENCODE_SERVER_USERNAME") or "opencode"
    password = password or variables.get("OPENCODE_SERVER_PASSWORD") or ""
    bare = urlunsplit(
        (parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", "")
    )
    if not password:
        return Address(bare)
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    return Address(bare, f"Basic {token}")


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def checked(deadline: float) -> float:
    """A deadline that is one. Raises ValueError."""
    if not (deadline > 0 and math.isfinite(deadline)):
        raise ValueError(f"a deadline is a number of seconds above 0, got {deadline!r}")
    return deadline
