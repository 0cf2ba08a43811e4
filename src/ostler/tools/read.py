"""``read``: a file with numbered lines, a directory's entries, or an image or PDF to look at."""

import asyncio
import base64
import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, BinaryIO

import msgspec

from ostler.project.collation import collation_key
from ostler.schema.base import NonNegative
from ostler.schema.errors import ToolError
from ostler.tools import paths
from ostler.tools.media import SAMPLE, attachable, is_binary
from ostler.tools.tool import Attachment, ToolContext, ToolResult, define

DEFAULT_LIMIT = 2000
MAX_LINE = 2000
"""Characters shown of one line."""
MAX_BYTES = 51200
"""Bytes of lines shown at a time."""
PREVIEW = 20
"""Lines or entries in ``metadata.preview``."""
MAX_ATTACHMENT = 50 * 1024 * 1024
"""Bytes of an image or PDF that is taken into memory."""


class Params(msgspec.Struct, kw_only=True):
    filePath: Annotated[str, msgspec.Meta(description="Path of the file or directory to read")]
    offset: (
        Annotated[NonNegative, msgspec.Meta(description="First line or entry to show; 1 is first")]
        | None
    ) = None
    limit: (
        Annotated[
            NonNegative, msgspec.Meta(description="How many lines or entries to show at most")
        ]
        | None
    ) = None


DESCRIPTION = f"""\
Shows a file or lists a directory.

- Paths may be absolute, or relative to the session's directory.
- A file comes back as numbered lines, `12: text`; the number and the colon are not part of it.
- Up to {DEFAULT_LIMIT} lines (or 50 KB) are shown from the start, or from `offset` on; the last \
line says how to go on. Lines over {MAX_LINE} characters are cut.
- A directory is listed with `/` after the names of its sub-directories.
- Images and PDFs come back as attachments you can look at. Other binary files are refused.
- Read a large part at once rather than many small ones, and several files in parallel. To find a \
place in a big file, use grep first."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    path = paths.resolve(context, params.filePath)
    is_directory = os.path.isdir(path)
    await paths.ask_external(context, path, "directory" if is_directory else "file")
    title = paths.display(context, path)
    await context.host.ask("read", [title], ["*"], {})
    offset = params.offset or 1
    limit = DEFAULT_LIMIT if params.limit is None else params.limit
    if is_directory:
        return await asyncio.to_thread(_directory, path, title, offset, limit)
    result = await asyncio.to_thread(_file, path, title, offset, limit)
    if result.attachments:
        return result
    instructions = context.host.nearby_instructions(path)
    await context.host.warm(path)
    metadata = {**result.metadata, "loaded": [source for source, _ in instructions]}
    return ToolResult(result.output + _reminder(instructions), title, metadata)


TOOL = define("read", DESCRIPTION, Params, execute)


def _reminder(instructions: Sequence[tuple[str, str]]) -> str:
    texts = [f"Instructions from: {path}\n{text}" for path, text in instructions]
    joined = "\n\n".join(texts)
    return f"\n\n<system-reminder>\n{joined}\n</system-reminder>" if texts else ""


# ── directories ───────────────────────────────────────────────────────────────────────────────


def _directory(path: str, title: str, offset: int, limit: int) -> ToolResult:
    try:
        with os.scandir(path) as found:
            # A link to a directory counts as one.
            names = [_name(entry) for entry in found]
    except OSError as e:
        raise ToolError(f"Cannot list {path}: {e.strerror}") from None
    names.sort(key=collation_key)
    total = len(names)
    entries = names[offset - 1 : offset - 1 + limit]
    truncated = offset - 1 + len(entries) < total and offset <= total
    note = f"({total} entries)"
    if truncated:
        note = (
            f"(Showing {len(entries)} of {total} entries. "
            f"Use 'offset' parameter to read beyond entry {offset + len(entries)})"
        )
    listing = "\n".join(entries)
    output = (
        f"<path>{path}</path>\n<type>directory</type>\n<entries>\n{listing}\n\n{note}\n</entries>"
    )
    display = {
        "type": "directory",
        "path": path,
        "entries": entries,
        "offset": offset,
        "totalEntries": total,
        "truncated": truncated,
    }
    return ToolResult(output, title, _metadata(entries, truncated, display))


def _name(entry: "os.DirEntry[str]") -> str:
    name = entry.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return name + "/" if entry.is_dir() else name


def _metadata(
    lines: Sequence[str], truncated: bool, display: dict[str, Any] | None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "preview": "\n".join(lines[:PREVIEW]),
        "truncated": truncated,
        "loaded": [],
    }
    if display is not None:
        metadata["display"] = display
    return metadata


# ── files ─────────────────────────────────────────────────────────────────────────────────────


def _file(path: str, title: str, offset: int, limit: int) -> ToolResult:
    try:
        # Without waiting: a pipe nobody writes to would never open.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ToolError(f"Not a regular file: {path}")
            sample = file.read(SAMPLE)
            file.seek(0)
            mime = attachable(path, sample)
            if mime is not None:
                return _attachment(path, title, mime, file)
            if is_binary(path, sample):
                raise ToolError(f"Cannot read binary file: {path}")
            return _text(path, title, offset, limit, file)
    except (FileNotFoundError, NotADirectoryError):
        raise ToolError(f"File not found: {path}{_suggestions(path)}") from None
    except OSError as e:
        raise ToolError(f"Cannot read {path}: {e.strerror}") from None


def _suggestions(path: str) -> str:
    """Up to three neighbours whose names hold the wanted one, or are held by it."""
    folder, wanted = os.path.split(path.lower())
    folder = os.path.dirname(path)
    try:
        names = os.listdir(folder)
    except OSError:
        return ""
    close = [n for n in names if wanted in n.lower() or n.lower() in wanted][:3]
    if not close:
        return ""
    return "\n\nDid you mean one of these?\n" + "\n".join(os.path.join(folder, n) for n in close)


def _attachment(path: str, title: str, mime: str, file: BinaryIO) -> ToolResult:
    content = file.read(MAX_ATTACHMENT + 1)
    if len(content) > MAX_ATTACHMENT:
        raise ToolError(f"{path} is too large to attach (the limit is {MAX_ATTACHMENT >> 20} MiB)")
    output = f"{'PDF' if mime == 'application/pdf' else 'Image'} read successfully"
    url = f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
    metadata = _metadata([output], False, None)
    return ToolResult(output, title, metadata, (Attachment(mime, url),))


class _Page(msgspec.Struct):
    """What is shown of a file as its lines come by. ``capped``: the bytes ran out; ``total`` then
    counts up to the first line left out."""

    offset: int
    limit: int
    shown: list[str] = msgspec.field(default_factory=list)
    total: int = 0
    used: int = 0
    capped: bool = False

    def only_counts(self, lines: int) -> bool:
        """Whether nothing of the next so many lines will be shown."""
        return len(self.shown) >= self.limit or self.total + lines < self.offset

    def take(self, line: bytes) -> None:
        self.total += 1
        if self.total < self.offset or len(self.shown) >= self.limit:
            return
        text = line.decode("utf-8", "replace")
        if len(text) > MAX_LINE:
            text = text[:MAX_LINE] + f"... (line truncated to {MAX_LINE} chars)"
        cost = len(text.encode()) + (1 if self.shown else 0)
        if self.used + cost > MAX_BYTES:
            self.capped = True
            return
        self.used += cost
        self.shown.append(text)


def _text(path: str, title: str, offset: int, limit: int, file: BinaryIO) -> ToolResult:
    lines = _page(file, offset, limit)
    if offset > lines.total and not (offset == 1 and not lines.total):
        raise ToolError(f"Offset {offset} is out of range for this file ({lines.total} lines)")
    last = offset + len(lines.shown) - 1
    truncated = lines.capped or last < lines.total
    if lines.capped:
        note = f"(Output capped at 50 KB. Showing lines {offset}-{last}. "
        note += f"Use offset={last + 1} to continue.)"
    elif truncated:
        note = f"(Showing lines {offset}-{last} of {lines.total}. "
        note += f"Use offset={last + 1} to continue.)"
    else:
        note = f"(End of file - total {lines.total} lines)"
    numbered = "\n".join(f"{offset + i}: {line}" for i, line in enumerate(lines.shown))
    output = f"<path>{path}</path>\n<type>file</type>\n<content>\n{numbered}\n\n{note}\n</content>"
    display = {
        "type": "file",
        "path": path,
        "text": "\n".join(lines.shown),
        "lineStart": offset,
        "lineEnd": last,
        "totalLines": lines.total,
        "truncated": truncated,
    }
    return ToolResult(output, title, _metadata(lines.shown, truncated, display))


_KEPT = 4 * MAX_LINE + 4
"""Bytes kept of a line: enough for MAX_LINE characters and one more."""
_BREAK = re.compile(rb"\r\n|\r|\n")


def _page(file: BinaryIO, offset: int, limit: int) -> _Page:
    """Part of the lines of a file of any size. Line feeds, carriage returns and pairs of them end
    a line."""
    page, rest = _Page(offset, limit), b""
    for block in _blocks(file):
        # Counting line feeds is many times faster than splitting.
        count = block.count(b"\n")
        if b"\r" not in block and page.only_counts(count + 1):
            page.total += count
            rest = (block[block.rfind(b"\n") + 1 :] if count else rest + block)[:_KEPT]
            continue
        pieces = _BREAK.split(block)
        pieces[0] = rest + pieces[0]
        rest = pieces.pop()[:_KEPT]
        for piece in pieces:
            page.take(piece[:_KEPT])
            if page.capped:
                return page
    if rest:
        page.take(rest)
    return page


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """A file's bytes without its byte order mark; no block ends within a CRLF."""
    block = file.read(_BLOCK).removeprefix(b"\xef\xbb\xbf")
    while block:
        following = file.read(_BLOCK)
        if block.endswith(b"\r") and following.startswith(b"\n"):
            block, following = block + b"\n", following[1:] or file.read(_BLOCK)
        yield block
        block = following


_BLOCK = 1 << 20
