"""The names under which models and users meet what a server offers (OpenCode 1.18)."""

import re

_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")


def sanitise(name: str) -> str:
    """Letters, digits, ``_`` and ``-`` stay; everything else is ``_``."""
    return _FOREIGN.sub("_", name)


def tool_name(server: str, tool: str) -> str:
    return f"{sanitise(server)}_{sanitise(tool)}"


def command_name(server: str, prompt: str) -> str:
    return f"{sanitise(server)}:{sanitise(prompt)}"


def resource_key(server: str, uri: str) -> str:
    """``server:uri``, with the server's name escaped so that the first colon ends it."""
    escaped = server.replace("%", "%25").replace(":", "%3A")
    return f"{escaped}:{uri}"
