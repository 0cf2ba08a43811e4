"""``write``: a file with the given content, new or replaced."""

import asyncio
import os
from typing import Annotated

import msgspec

from ostler.schema.errors import ToolError
from ostler.tools import paths
from ostler.tools.diagnostics import others_report, own_report
from ostler.tools.diff import file_diff
from ostler.tools.files import TextFile, locked, read_text, settle_mark, split_mark, write_text
from ostler.tools.tool import ToolContext, ToolResult, define


class Params(msgspec.Struct, kw_only=True):
    content: Annotated[str, msgspec.Meta(description="The file's whole content")]
    filePath: Annotated[str, msgspec.Meta(description="Path of the file to write")]


DESCRIPTION = """\
Writes a file, replacing what was there; folders are made as needed.

- To change a part of an existing file use edit instead. Read a file before you replace it.
- Write new files only where the task needs them; no documentation nobody asked for."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    path = paths.resolve(context, params.filePath)
    await paths.ask_external(context, path)
    async with locked(path):
        return await _write(path, split_mark(params.content), context)


TOOL = define("write", DESCRIPTION, Params, execute)


async def _write(path: str, new: TextFile, context: ToolContext) -> ToolResult:
    title = paths.display(context, path)
    exists = os.path.exists(path)
    if os.path.isdir(path):
        raise ToolError(f"Path is a directory, not a file: {path}")
    old = read_text(path) if exists else TextFile("")
    diff = await asyncio.to_thread(file_diff, path, old.text, new.text, line_ends=True)
    await context.host.ask("edit", [title], ["*"], {"filepath": path, "diff": diff.patch})
    marked = old.marked or new.marked
    write_text(path, new.text, marked)
    edited = await context.host.edited(path, created=not exists)
    settle_mark(path, marked)
    output = "Wrote file successfully."
    output += own_report(path, edited.diagnostics) + others_report(path, edited.diagnostics)
    metadata = {"diagnostics": edited.diagnostics, "filepath": path, "exists": exists}
    return ToolResult(output, title, metadata)
