"""``grep``: lines that match a regular expression."""

import os
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ostler.project.search import Match, search_text
from ostler.schema.errors import ToolError
from ostler.tools import paths
from ostler.tools.text import shown
from ostler.tools.tool import ToolContext, ToolResult, define

LIMIT = 100
MAX_LINE = 2000
"""Characters shown of a matching line."""


class Params(msgspec.Struct, kw_only=True):
    pattern: Annotated[str, msgspec.Meta(description="Regular expression to look for")]
    path: (
        Annotated[
            str,
            msgspec.Meta(
                description="Directory to search; leave it out for the session's directory"
            ),
        ]
        | None
    ) = None
    include: (
        Annotated[
            str,
            msgspec.Meta(description='Glob the files must match, e.g. "*.js" or "*.{ts,tsx}"'),
        ]
        | None
    ) = None


DESCRIPTION = f"""\
Searches the contents of files with a regular expression (ripgrep's syntax; escape literal braces \
as in `interface\\{{\\}}`).

- Hidden files are searched; ignored and binary ones are not. `include` narrows it to some files.
- Matching lines come back under their file's absolute path with line numbers, {LIMIT} at most.
- The search goes line by line. A file given as `path` stands for the directory it is in.
- To count matches, or for many rounds of searching, use bash or a subagent instead."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    if not params.pattern:
        raise ToolError("pattern is required")
    metadata: dict[str, Any] = {"pattern": params.pattern}
    if params.path is not None:
        metadata["path"] = params.path
    if params.include is not None:
        metadata["include"] = params.include
    await context.host.ask("grep", [params.pattern], ["*"], metadata)
    path = paths.resolve(context, params.path or "")
    is_directory = os.path.isdir(path)
    await paths.ask_external(context, path, "directory" if is_directory else "file")
    directory = path if is_directory else os.path.dirname(path)
    found = await search_text(
        directory, params.pattern, include=params.include or None, limit=LIMIT
    )
    truncated = len(found) >= LIMIT
    return ToolResult(
        _output(directory, found, truncated) if found else "No files found",
        params.pattern,
        {"matches": len(found), "truncated": truncated},
    )


TOOL = define("grep", DESCRIPTION, Params, execute)


def _output(directory: str, found: Sequence[Match], truncated: bool) -> str:
    """Matches under their files. A line keeps its line feed, so a blank one follows it."""
    more = " (more matches available)" if truncated else ""
    lines = [f"Found {len(found)} matches{more}"]
    current = ""
    for match in found:
        if match.path != current:
            if current:
                lines.append("")
            current = match.path
            lines.append(f"{shown(os.path.join(directory, match.path))}:")
        text = match.line if len(match.line) <= MAX_LINE else match.line[:MAX_LINE] + "..."
        lines.append(f"  Line {match.line_number}: {text}")
    if truncated:
        lines += [
            "",
            "(Results truncated. Consider using a more specific path or pattern.)",
        ]
    return "\n".join(lines)
