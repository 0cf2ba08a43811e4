"""A project's files: list, read, find by name, find by content."""

from typing import Annotated, Literal

import msgspec

from ostler.project import files, search
from ostler.schema.errors import BadRequest
from ostler.schema.file import (
    FileChange,
    FileContent,
    FileNode,
    Submatch,
    Symbol,
    TextMatch,
    TextValue,
)
from ostler.server.operation import Context, operation

MAX_MATCHES = 10
"""Matches of a text search (OpenCode 1.18)."""
MAX_LINE = 2000
"""Characters of a matching line."""


class PathQuery(msgspec.Struct):
    path: str


class PatternQuery(msgspec.Struct):
    pattern: str


class SymbolQuery(msgspec.Struct):
    query: str


class NameQuery(msgspec.Struct):
    query: str
    dirs: Literal["true", "false"] | None = None
    type: Literal["file", "directory"] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 10


@operation("GET /file", "file.list", query=PathQuery, answer=list[FileNode])
async def list_folder(context: Context) -> list[FileNode]:
    instance = await context.instance()
    return files.list_folder(context.query.path, instance.directory, instance.worktree)


@operation("GET /file/content", "file.read", query=PathQuery, answer=FileContent)
async def content(context: Context) -> FileContent:
    instance = await context.instance()
    return files.read_content(context.query.path, instance.directory, instance.worktree)


@operation("GET /file/status", "file.status", answer=list[FileChange])
async def status(context: Context) -> list[FileChange]:
    """Always empty (OpenCode 1.18); ``GET /vcs/status`` has the answer."""
    await context.instance()
    return []


@operation("GET /find", "find.text", query=PatternQuery, answer=list[TextMatch])
async def find_text(context: Context) -> list[TextMatch]:
    instance = await context.instance()
    try:
        found = await search.search_text(
            instance.directory, context.query.pattern, limit=MAX_MATCHES
        )
    except search.SearchFailed as e:
        raise BadRequest(f'{e}\n  at ["pattern"]', "Query") from None
    return [
        TextMatch(
            path=TextValue(text=match.path),
            lines=TextValue(text=match.line[:MAX_LINE]),
            line_number=match.line_number,
            absolute_offset=match.absolute_offset,
            submatches=[
                Submatch(match=TextValue(text=s.text), start=s.start, end=s.end)
                for s in match.submatches
            ],
        )
        for match in found
    ]


@operation("GET /find/file", "find.files", query=NameQuery, answer=list[str])
async def find_files(context: Context) -> list[str]:
    instance = await context.instance()
    query: NameQuery = context.query
    kind = query.type or ("file" if query.dirs == "false" else None)
    try:
        return await files.find(query.query, instance.directory, query.limit, kind)
    except search.SearchFailed as e:
        raise BadRequest(str(e), "Query") from None


@operation("GET /find/symbol", "find.symbols", query=SymbolQuery, answer=list[Symbol])
async def find_symbols(context: Context) -> list[Symbol]:
    """Always empty (OpenCode 1.18)."""
    await context.instance()
    return []
