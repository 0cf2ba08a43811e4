"""The name a repository has wherever it is cloned: ``host/path`` of its origin remote.

OpenCode 1.18 hashes it into the project id, so every spelling of a URL has to give the same name as
there (observed, spelling by spelling): URLs as the WHATWG URL standard reads them, then git's
``user@host:path``.
"""

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SCP = re.compile(r"(?:[^@/]+@)?([^:/]+):(.+)", re.DOTALL)
_PORT = re.compile(r":(\d*)$")
# Schemes in which a backslash is a slash, the slashes after the colon are optional, and a host is
# a domain name.
_SPECIAL: Final = ("http", "https", "ftp", "ws", "wss")
_FORBIDDEN_IN_HOST: Final = frozenset(" #/<>?@[\\]^|\t\n\r\0")
# What the standard leaves as it is in a path; the rest becomes %XX of its UTF-8 bytes.
_PATH_SAFE: Final = "!$%&'()*+,-./:;=@[\\]_|~"


class _NotUrl(Exception):
    """The text is no URL at all, in contrast to one without a host or path."""


def remote_name(url: str) -> str | None:
    """``github.com/owner/name`` for a remote's URL, or None for one that names no host.

    >>> remote_name("git@GitHub.com:owner/name.git")
    'github.com/owner/name'
    """
    url = url.strip()
    try:
        found = _from_url(url)
    except _NotUrl:
        match = _SCP.fullmatch(url)
        found = (match[1].lower(), match[2]) if match else None
    if found is None:
        return None
    host, path = found
    path = re.sub(r"\.git/?$", "", path.lstrip("/")).rstrip("/")
    return f"{host}/{path}" if host and path else None


def _from_url(url: str) -> tuple[str, str] | None:
    """(host, path), or None for a URL without a host."""
    url = re.sub(r"[\t\r\n]", "", url)
    match = _SCHEME.match(url)
    if match is None:
        raise _NotUrl
    scheme = match[1].lower()
    rest = url[match.end() :]
    special = scheme in _SPECIAL
    if special:
        rest = re.split(r"[?#]", rest, maxsplit=1)[0].replace("\\", "/").lstrip("/")
    elif scheme == "file" or not rest.startswith("//"):
        return None
    else:
        rest = re.split(r"[?#]", rest[2:], maxsplit=1)[0]
    authority, slash, path = rest.partition("/")
    host = _host(authority, special)
    return host, _plain_path(slash + path)


def _host(authority: str, special: bool) -> str:
    host = authority.rpartition("@")[2]
    port = _PORT.search(host)
    if port:
        host = host[: port.start()]
        if port[1] and int(port[1]) > 65535:
            raise _NotUrl
    if host.startswith("["):
        return _ipv6(host)
    if special:
        host = _domain(unquote_to_bytes(host).decode("utf-8", "replace"))
        if not host:
            raise _NotUrl
    if ":" in host or _FORBIDDEN_IN_HOST & set(host):
        raise _NotUrl
    return quote(host, safe="!\"$%&'()*+,-.:;=_`{|}~").lower()


def _domain(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise _NotUrl from None


def _ipv6(host: str) -> str:
    import ipaddress  # rare: a remote given by address

    try:
        return f"[{ipaddress.IPv6Address(host.removeprefix('[').removesuffix(']')).compressed}]"
    except ValueError:
        raise _NotUrl from None


def _plain_path(path: str) -> str:
    """The path without dot segments and with everything unusual percent-encoded."""
    kept: list[str] = []
    segments = path.split("/")
    for position, segment in enumerate(segments):
        plain = segment.lower().replace("%2e", ".")
        last = position == len(segments) - 1
        if plain == "..":
            if len(kept) > 1:
                kept.pop()
            if last:
                kept.append("")
        elif plain == ".":
            if last:
                kept.append("")
        else:
            kept.append(segment)
    return quote("/".join(kept), safe=_PATH_SAFE)
