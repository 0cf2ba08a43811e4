"""``edit``: replaces a text in a file, or makes a file."""

import asyncio
import os
from typing import Annotated

import msgspec

from ostler.schema.errors import ToolError
from ostler.tools import paths
from ostler.tools.diagnostics import own_report
from ostler.tools.diff import FileDiff, file_diff
from ostler.tools.files import TextFile, locked, read_text, settle_mark, split_mark, write_text
from ostler.tools.matching import replace
from ostler.tools.tool import Metadata, ToolContext, ToolResult, define


class Params(msgspec.Struct, kw_only=True):
    filePath: Annotated[str, msgspec.Meta(description="Path of the file to change")]
    oldString: Annotated[str, msgspec.Meta(description="The text to replace")]
    newString: Annotated[
        str, msgspec.Meta(description="The text to put in its place; must differ from oldString")
    ]
    replaceAll: (
        Annotated[bool, msgspec.Meta(description="Replace every occurrence (default: false)")]
        | None
    ) = None


DESCRIPTION = """\
Replaces a text in a file.

- Read the file first. Quote oldString exactly as it stands there, indentation included, without \
the line numbers that read puts before each line.
- oldString must occur once: quote enough lines around it, or set replaceAll to change every \
occurrence, for example to rename something.
- With an empty oldString a file that does not exist yet is made from newString.
- Prefer changing existing files to writing new ones."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    if not params.filePath:
        raise ToolError("filePath is required")
    if params.oldString == params.newString:
        raise ToolError("No changes to apply: oldString and newString are identical.")
    path = paths.resolve(context, params.filePath)
    await paths.ask_external(context, path)
    async with locked(path):
        if not params.oldString:
            return await _create(path, params.newString, context)
        return await _edit(path, params, context)


TOOL = define("edit", DESCRIPTION, Params, execute)


async def _create(path: str, content: str, context: ToolContext) -> ToolResult:
    if os.path.exists(path):
        raise ToolError(
            "oldString cannot be empty when editing an existing file. Provide the exact text to "
            "replace, or use write for an intentional full-file replacement."
        )
    new = split_mark(content)
    diff = await asyncio.to_thread(file_diff, path, "", new.text)
    await _ask(path, diff, context)
    write_text(path, new.text, new.marked)
    return await _finish(path, TextFile("", new.marked), new.text, diff, context, created=True)


async def _edit(path: str, params: Params, context: ToolContext) -> ToolResult:
    if not os.path.exists(path):
        raise ToolError(f"File {path} not found")
    if os.path.isdir(path):
        raise ToolError(f"Path is a directory, not a file: {path}")
    try:
        old = read_text(path)
    except OSError as e:
        raise ToolError(f"Cannot read {path}: {e.strerror}") from None
    new, diff = await asyncio.to_thread(_apply, path, old.text, params)
    await _ask(path, diff, context)
    marked = old.marked or new.marked
    write_text(path, new.text, marked)
    return await _finish(path, TextFile(old.text, marked), new.text, diff, context, created=False)


def _apply(path: str, content: str, params: Params) -> tuple[TextFile, FileDiff]:
    """The new text and the diff; both strings take the file's line ends first."""
    ending = "\r\n" if "\r\n" in content else "\n"
    old, new = _with_ending(params.oldString, ending), _with_ending(params.newString, ending)
    result = split_mark(replace(content, old, new, bool(params.replaceAll)))
    return result, file_diff(path, content, result.text)


def _with_ending(text: str, ending: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", ending)


async def _ask(path: str, diff: FileDiff, context: ToolContext) -> None:
    title = paths.display(context, path)
    await context.host.ask("edit", [title], ["*"], {"filepath": path, "diff": diff.patch})


async def _finish(
    path: str, old: TextFile, written: str, diff: FileDiff, context: ToolContext, created: bool
) -> ToolResult:
    """Show what was written, let formatters and language servers have their turn, and report.
    ``old`` is the text before, with the byte order mark the file is to have."""
    metadata = _metadata(path, diff)
    context.host.update(metadata=metadata)
    edited = await context.host.edited(path, created=created)
    after = settle_mark(path, old.marked)
    if after != written and not created:
        diff = await asyncio.to_thread(file_diff, path, old.text, after)
        metadata = _metadata(path, diff)
    return ToolResult(
        "Edit applied successfully." + own_report(path, edited.diagnostics),
        paths.display(context, path),
        {**metadata, "diagnostics": edited.diagnostics},
    )


def _metadata(path: str, diff: FileDiff) -> Metadata:
    changed = {
        "file": path,
        "patch": diff.patch,
        "additions": diff.additions,
        "deletions": diff.deletions,
    }
    return {"diagnostics": {}, "diff": diff.patch, "filediff": changed}
