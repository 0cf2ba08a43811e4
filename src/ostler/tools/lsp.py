"""``lsp``: what language servers know of code."""

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from ostler.schema.base import Positive
from ostler.schema.errors import ToolError
from ostler.tools import paths
from ostler.tools.tool import Metadata, ToolContext, ToolResult, define

if TYPE_CHECKING:
    from ostler.integrations.lsp.servers import LanguageServers


Operation = Literal[
    "goToDefinition",
    "findReferences",
    "hover",
    "documentSymbol",
    "workspaceSymbol",
    "goToImplementation",
    "prepareCallHierarchy",
    "incomingCalls",
    "outgoingCalls",
]


class Params(msgspec.Struct, kw_only=True):
    operation: Annotated[Operation, msgspec.Meta(description="What to ask")]
    filePath: Annotated[str, msgspec.Meta(description="Path of the file the question is about")]
    line: Annotated[Positive, msgspec.Meta(description="Line of the symbol; 1 is the first")]
    character: Annotated[
        Positive, msgspec.Meta(description="Place of the symbol in its line; 1 is the first")
    ]
    query: (
        Annotated[
            str,
            msgspec.Meta(description="For workspaceSymbol: a part of the name; empty for any"),
        ]
        | None
    ) = None


DESCRIPTION = """\
Asks the project's language servers about code: what things are, where they are defined and used.

- goToDefinition, goToImplementation, findReferences: places, for the symbol at line and character.
- hover: its type and documentation.
- documentSymbol: everything a file defines.
- workspaceSymbol: what the project defines with `query` in its name; the file only tells which \
language is meant.
- prepareCallHierarchy, then incomingCalls and outgoingCalls: who calls the function there, and \
what it calls.
- Lines and characters you give are counted from 1, as read shows them. Those in the answer are \
counted from 0.
- There has to be a language server for the kind of file; where there is none, use grep."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    path = paths.resolve(context, params.filePath)
    await paths.ask_external(context, path)
    await context.host.ask("lsp", ["*"], ["*"], _asked(params, path))
    if not os.path.exists(path):
        raise ToolError(f"File not found: {path}")
    servers = context.host.language_servers()
    objection = servers.objection(path)
    if objection is not None:
        raise ToolError(objection)
    await servers.show(path, settle=True)
    found = await _answers(params, path, servers)
    output = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    return ToolResult(
        output if found else f"No results found for {params.operation}",
        _title(params, paths.display(context, path)),
        {"result": found},
    )


TOOL = define("lsp", DESCRIPTION, Params, execute)


async def _answers(params: Params, path: str, servers: "LanguageServers") -> list[Any]:
    # Most processes have no language servers.
    from ostler.integrations.lsp import queries

    if params.operation == "workspaceSymbol":
        return await queries.workspace_symbols(servers.connected(), params.query or "")
    clients = await servers.clients(path)
    if params.operation == "documentSymbol":
        return await queries.document_symbols(clients, path)
    line, character = params.line - 1, params.character - 1
    return await queries.at_position(clients, params.operation, path, line, character)


def _asked(params: Params, path: str) -> Metadata:
    """What the question shows to who permits it (OpenCode 1.18)."""
    metadata: Metadata = {"operation": params.operation}
    if params.operation != "workspaceSymbol":
        metadata["filePath"] = path
        if params.operation != "documentSymbol":
            metadata |= {"line": params.line, "character": params.character}
    return metadata


def _title(params: Params, shown: str) -> str:
    if params.operation == "workspaceSymbol":
        return params.operation
    if params.operation == "documentSymbol":
        return f"{params.operation} {shown}"
    return f"{params.operation} {shown}:{params.line}:{params.character}"
