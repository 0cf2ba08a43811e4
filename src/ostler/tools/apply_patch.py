"""``apply_patch``: several changes to several files in one patch (see ``patching`` for the format).

Nothing is written unless every part of the patch fits its file.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from ostler.schema.errors import ToolError
from ostler.tools import paths
from ostler.tools.diagnostics import Diagnostics, report
from ostler.tools.diff import FileDiff, file_diff
from ostler.tools.files import TextFile, locked, read_text, settle_mark, split_mark, write_text
from ostler.tools.patching import (
    BEGIN,
    END,
    AddFile,
    DeleteFile,
    Hunk,
    PatchError,
    UpdateFile,
    apply_chunks,
    parse,
)
from ostler.tools.text import trim
from ostler.tools.tool import Metadata, ToolContext, ToolResult, define


class Params(msgspec.Struct, kw_only=True):
    patchText: Annotated[str, msgspec.Meta(description="The patch, from Begin to End Patch")]


DESCRIPTION = """\
Changes files by a patch in this format:

*** Begin Patch
*** Add File: path/new.txt
+every line of the new file
*** Update File: path/old.txt
*** Move to: path/renamed.txt
@@ def a_line_above_the_change():
 an unchanged line
-a line to remove
+a line to add
*** Delete File: path/gone.txt
*** End Patch

- One patch may hold any number of files. Each file begins with Add, Update or Delete; Move to is \
optional and follows Update.
- Every change in an updated file begins with an @@ line; the text after @@ may be left out. Under \
it, lines begin with a space (kept), - (removed) or + (added). Give about three kept lines around \
a change so that its place is clear.
- Paths are relative to the session's directory, or absolute."""


class _Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One file's change, worked out and not yet made. ``target`` is where the text goes."""

    kind: Literal["add", "update", "delete", "move"]
    path: str
    target: str
    new: TextFile
    diff: FileDiff


async def execute(params: Params, context: ToolContext) -> ToolResult:
    if not params.patchText:
        raise ToolError("patchText is required")
    hunks = _parsed(params.patchText)
    touched = [paths.resolve(context, path) for hunk in hunks for path in _touched(hunk)]
    for path in dict.fromkeys(touched):
        await paths.ask_external(context, path)
    async with locked(*touched):
        return await _apply(hunks, context)


TOOL = define("apply_patch", DESCRIPTION, Params, execute)


def _parsed(text: str) -> list[Hunk]:
    try:
        hunks = parse(text)
    except PatchError as e:
        raise ToolError(f"apply_patch verification failed: Error: {e}") from None
    if not hunks:
        if trim(text.replace("\r\n", "\n")) == f"{BEGIN}\n{END}":
            raise ToolError("patch rejected: empty patch")
        raise ToolError("apply_patch verification failed: no hunks found")
    return hunks


def _touched(hunk: Hunk) -> Sequence[str]:
    if isinstance(hunk, UpdateFile) and hunk.move_to:
        return hunk.path, hunk.move_to
    return (hunk.path,)


async def _apply(hunks: Sequence[Hunk], context: ToolContext) -> ToolResult:
    planned = await asyncio.to_thread(_plan, hunks, context)
    files = [_file_metadata(change, context) for change in planned]
    diff = "".join(change.diff.patch + "\n" for change in planned)
    patterns = [paths.display(context, change.path) for change in planned]
    await context.host.ask(
        "edit", patterns, ["*"], {"filepath": ", ".join(patterns), "diff": diff, "files": files}
    )
    diagnostics: dict[str, Any] = {}
    for change in planned:
        diagnostics.update(await _make(change, context))
    summary = "Success. Updated the following files:\n" + "\n".join(
        f"{_LETTERS[change.kind]} {paths.display(context, change.target)}" for change in planned
    )
    output = summary + _reports(planned, diagnostics, context)
    return ToolResult(output, output, {"diff": diff, "files": files, "diagnostics": diagnostics})


_LETTERS = {"add": "A", "update": "M", "move": "M", "delete": "D"}


# ── working it out ────────────────────────────────────────────────────────────────────────────


def _plan(hunks: Sequence[Hunk], context: ToolContext) -> list[_Planned]:
    """Every change, each on top of the ones before it. Raises ToolError when one does not fit."""
    planned: list[_Planned] = []
    # What files would hold by then; None: deleted or moved away.
    pending: dict[str, TextFile | None] = {}
    for hunk in hunks:
        change = _plan_one(hunk, pending, context)
        pending[change.path] = None
        if change.kind != "delete":
            pending[change.target] = change.new
        planned.append(change)
    return planned


def _plan_one(hunk: Hunk, pending: Mapping[str, TextFile | None], context: ToolContext) -> _Planned:
    path = paths.resolve(context, hunk.path)
    if isinstance(hunk, AddFile):
        ended = not hunk.content or hunk.content.endswith("\n")
        new = split_mark(hunk.content if ended else hunk.content + "\n")
        diff = file_diff(path, "", new.text, line_ends=True)
        return _Planned(kind="add", path=path, target=path, new=new, diff=diff)
    old = _current(path, pending)
    if old is None:
        raise ToolError(f"apply_patch verification failed: {_unreadable(hunk, path)}")
    if isinstance(hunk, DeleteFile):
        diff = file_diff(path, old.text, "", line_ends=True)
        # The reference counts the pieces between line feeds: one more than the lines.
        diff = msgspec.structs.replace(diff, deletions=old.text.count("\n") + 1)
        return _Planned(kind="delete", path=path, target=path, new=TextFile(""), diff=diff)
    return _plan_update(hunk, path, old, context)


def _current(path: str, pending: Mapping[str, TextFile | None]) -> TextFile | None:
    if path in pending:
        return pending[path]
    try:
        return read_text(path)
    except OSError:
        return None


def _plan_update(hunk: UpdateFile, path: str, old: TextFile, context: ToolContext) -> _Planned:
    try:
        text = apply_chunks(path, old.text, hunk.chunks) if hunk.chunks else old.text
    except PatchError as e:
        raise ToolError(f"apply_patch verification failed: Error: {e}") from None
    new = split_mark(text)
    return _Planned(
        kind="move" if hunk.move_to else "update",
        path=path,
        target=paths.resolve(context, hunk.move_to) if hunk.move_to else path,
        new=TextFile(new.text, old.marked or new.marked),
        diff=file_diff(path, old.text, new.text, line_ends=True),
    )


def _unreadable(hunk: Hunk, path: str) -> str:
    if isinstance(hunk, DeleteFile):
        return f"NotFound: FileSystem.readFile ({path})"
    return f"Failed to read file to update: {path}"


def _file_metadata(change: _Planned, context: ToolContext) -> Metadata:
    metadata: Metadata = {
        "filePath": change.path,
        "relativePath": paths.display(context, change.target),
        "type": change.kind,
        "patch": change.diff.patch,
        "additions": change.diff.additions,
        "deletions": change.diff.deletions,
    }
    if change.kind == "move":
        metadata["movePath"] = change.target
    return metadata


# ── doing it ──────────────────────────────────────────────────────────────────────────────────


async def _make(change: _Planned, context: ToolContext) -> Diagnostics:
    """Change the file and let formatters and language servers have their turn."""
    if change.kind == "delete":
        _remove(change.path)
        await context.host.removed(change.path)
        return {}
    created = not os.path.exists(change.target)
    write_text(change.target, change.new.text, change.new.marked)
    if change.target != change.path:
        _remove(change.path)
        await context.host.removed(change.path)
    edited = await context.host.edited(change.target, created=created)
    settle_mark(change.target, change.new.marked)
    return edited.diagnostics


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as e:
        raise ToolError(f"Cannot delete {path}: {e.strerror}") from None


def _reports(planned: Sequence[_Planned], diagnostics: Diagnostics, context: ToolContext) -> str:
    out = ""
    for change in planned:
        found = report(change.target, diagnostics) if change.kind != "delete" else ""
        if found:
            name = paths.display(context, change.target)
            out += f"\n\nLSP errors detected in {name}, please fix:\n{found}"
    return out
