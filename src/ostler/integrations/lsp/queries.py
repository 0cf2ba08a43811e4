"""What language servers know of code: the questions of the ``lsp`` tool, each to every server that
is for the file. A server that fails, or does not know the question, has no answer."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ostler.integrations.lsp.connection import LspError
from ostler.integrations.lsp.documents import uri_of

if TYPE_CHECKING:
    from ostler.integrations.lsp.client import LanguageClient

MOST_SYMBOLS = 10
"""Of the whole project, from each server."""
_KINDS = frozenset((5, 6, 10, 11, 12, 13, 14, 23))
"""Class, method, enum, interface, function, variable, constant, struct (LSP 3.17, SymbolKind): of
a project's symbols these are told (OpenCode 1.18)."""

_AT_POSITION = {
    "goToDefinition": "textDocument/definition",
    "findReferences": "textDocument/references",
    "hover": "textDocument/hover",
    "goToImplementation": "textDocument/implementation",
    "prepareCallHierarchy": "textDocument/prepareCallHierarchy",
}
_CALLS = {
    "incomingCalls": "callHierarchy/incomingCalls",
    "outgoingCalls": "callHierarchy/outgoingCalls",
}


async def at_position(
    clients: "Iterable[LanguageClient]", operation: str, path: str, line: int, character: int
) -> list[Any]:
    """``line`` and ``character`` from 0, in UTF-16 units. The servers' own answers, LSP types."""
    params: dict[str, Any] = {
        "textDocument": {"uri": uri_of(path)},
        "position": {"line": line, "character": character},
    }
    if operation == "findReferences":
        params["context"] = {"includeDeclaration": True}
    if operation in _CALLS:
        return await _all(_calls(client, _CALLS[operation], params) for client in clients)
    method = _AT_POSITION[operation]
    return await _all(_answer(client, method, params) for client in clients)


async def document_symbols(clients: "Iterable[LanguageClient]", path: str) -> list[Any]:
    params = {"textDocument": {"uri": uri_of(path)}}
    return await _all(_answer(client, "textDocument/documentSymbol", params) for client in clients)


async def workspace_symbols(clients: "Iterable[LanguageClient]", query: str) -> list[Any]:
    """MOST_SYMBOLS from each server at most."""

    async def symbols(client: "LanguageClient") -> list[Any]:
        found = await _answer(client, "workspace/symbol", {"query": query})
        return [s for s in _listed(found) if s.get("kind") in _KINDS][:MOST_SYMBOLS]

    return await _all(symbols(client) for client in clients)


async def _calls(client: "LanguageClient", method: str, params: dict[str, Any]) -> Any:
    """A call hierarchy begins with the item at a position."""
    items = _listed(await _answer(client, "textDocument/prepareCallHierarchy", params))
    return await _answer(client, method, {"item": items[0]}) if items else None


async def _answer(client: "LanguageClient", method: str, params: dict[str, Any]) -> Any:
    try:
        return await client.request(method, params)
    except LspError:
        return None


async def _all(asked: "Iterable[Any]") -> list[Any]:
    """One list of the answers, which are lists, single ones, or none."""
    answers = await asyncio.gather(*asked)
    flat = (each for a in answers for each in (a if isinstance(a, list) else (a,)))
    return [each for each in flat if each]


def _listed(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
