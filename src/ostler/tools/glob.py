"""``glob``: files whose names match a pattern."""

import os
from typing import Annotated, Any

import msgspec

from ostler.project.search import find_files
from ostler.schema.errors import ToolError
from ostler.tools import paths
from ostler.tools.text import shown
from ostler.tools.tool import ToolContext, ToolResult, define

LIMIT = 100


class Params(msgspec.Struct, kw_only=True):
    pattern: Annotated[str, msgspec.Meta(description="Pattern of the file names, e.g. **/*.ts")]
    path: (
        Annotated[
            str,
            msgspec.Meta(
                description="Directory to look in; leave it out for the session's directory"
            ),
        ]
        | None
    ) = None


DESCRIPTION = f"""\
Finds files by name in projects of any size.

- Patterns are globs such as `*.py`, `src/**/*.test.ts`, `{{a,b}}.json`; one without a slash \
matches at any depth.
- Files that .gitignore leaves out, and hidden ones, are found only if the pattern names them.
- Absolute paths come back in no particular order, {LIMIT} at most.
- To look inside files use grep. For an open-ended hunt that takes many rounds, use a subagent."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    metadata: dict[str, Any] = {"pattern": params.pattern}
    if params.path is not None:
        metadata["path"] = params.path
    await context.host.ask("glob", [params.pattern], ["*"], metadata)
    directory = paths.resolve(context, params.path or "")
    await paths.ask_external(context, directory, "directory")
    if os.path.isfile(directory):
        raise ToolError(f"glob path must be a directory: {directory}")
    found = await find_files(directory, params.pattern, limit=LIMIT)
    lines = [shown(os.path.join(directory, path)) for path in found] or ["No files found"]
    truncated = len(found) >= LIMIT
    if truncated:
        lines += [
            "",
            f"(Results are truncated: showing first {LIMIT} results. "
            "Consider using a more specific path or pattern.)",
        ]
    return ToolResult(
        "\n".join(lines),
        paths.display(context, directory),
        {"count": len(found), "truncated": truncated},
    )


TOOL = define("glob", DESCRIPTION, Params, execute)
