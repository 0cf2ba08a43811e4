"""Terminals, which are spoken to over a websocket."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

if TYPE_CHECKING:
    from websockets.asyncio.client import connect as AsyncConnect
    from websockets.sync.client import ClientConnection

    from ostler.client.connection import Connection

OPEN_SECONDS = 10.0


def connect(
    connection: "Connection", template: str, path: Mapping[str, str], query: Mapping[str, Any]
) -> "AsyncConnect":
    """To be entered (``async with``) or awaited. Raises what ``websockets`` raises."""
    from websockets.asyncio.client import connect as open_socket

    url, headers, proxy = _target(connection, template, path, query)
    return open_socket(
        url, additional_headers=headers, proxy=proxy, open_timeout=OPEN_SECONDS, max_size=2**24
    )


def connect_blocking(
    connection: "Connection", template: str, path: Mapping[str, str], query: Mapping[str, Any]
) -> "ClientConnection":
    """To be entered (``with``). Raises what ``websockets`` raises."""
    from websockets.sync.client import connect as open_socket

    url, headers, proxy = _target(connection, template, path, query)
    return open_socket(
        url, additional_headers=headers, proxy=proxy, open_timeout=OPEN_SECONDS, max_size=2**24
    )


def _target(
    connection: "Connection", template: str, path: Mapping[str, str], query: Mapping[str, Any]
) -> tuple[str, dict[str, str], "Literal[True] | None"]:
    """URL, headers, and whether the environment's proxies count."""
    address = connection.address
    # A socket is located by its query: browsers cannot set headers on one (OpenCode 1.18).
    located = {"directory": connection.directory, **query}
    question = urlencode(connection.query(located))
    url = "ws" + address.url.removeprefix("http") + connection.route(template, path)
    headers = connection.headers(None)
    return f"{url}?{question}", headers, None if address.is_loopback else True
