"""The patch format of ``apply_patch``: reading it, and working out the text of a patched file.

    *** Begin Patch
    *** Add File: <path>          followed by ``+`` lines
    *** Delete File: <path>
    *** Update File: <path>       followed by ``*** Move to: <path>`` or nothing, then chunks
    @@ <a line to look for first, or nothing>
     kept line
    -old line
    +new line
    *** End of File               pins the chunk to the end of the file
    *** End Patch

Reading is lenient as OpenCode 1.18's: lines it has no use for are skipped, and lines before the
first ``@@`` of a file are not read.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from ostler.tools.text import trim, trim_end

BEGIN, END = "*** Begin Patch", "*** End Patch"
_ADD, _DELETE, _UPDATE = "*** Add File:", "*** Delete File:", "*** Update File:"
_MOVE, _END_OF_FILE = "*** Move to:", "*** End of File"


class PatchError(ValueError):
    """The patch cannot be read or does not fit the file."""


class Chunk(msgspec.Struct, frozen=True):
    """Replace ``old`` lines by ``new`` ones, at or after the line ``context`` where there is one.
    ``at_end``: look at the end of the file first."""

    old: Sequence[str]
    new: Sequence[str]
    context: str = ""
    at_end: bool = False


class AddFile(msgspec.Struct, frozen=True):
    path: str
    content: str


class DeleteFile(msgspec.Struct, frozen=True):
    path: str


class UpdateFile(msgspec.Struct, frozen=True):
    path: str
    chunks: Sequence[Chunk]
    move_to: str | None = None


Hunk = AddFile | DeleteFile | UpdateFile


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def parse(text: str) -> list[Hunk]:
    """The files a patch speaks of, in order; empty when it names none. Raises PatchError when the
    Begin or End line is missing."""
    lines = _without_heredoc(trim(text)).split("\n")
    trimmed = [trim(line) for line in lines]
    begin = trimmed.index(BEGIN) if BEGIN in trimmed else -1
    end = trimmed.index(END) if END in trimmed else -1
    if begin < 0 or end < begin:
        raise PatchError("Invalid patch format: missing Begin/End markers")
    return list(_sections(lines[begin + 1 : end]))


_HEREDOC = re.compile(r"(?:cat\s+)?<<['\"]?(\w+)['\"]?\s*\n(.*?)\n\1\s*", re.DOTALL)


def _without_heredoc(text: str) -> str:
    """What stands between ``cat <<'EOF'`` and ``EOF``, if the text is such a command."""
    found = _HEREDOC.fullmatch(text)
    return found[2] if found else text


def _sections(lines: Sequence[str]) -> Iterator[Hunk]:
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        end = next((i for i in range(at, len(lines)) if lines[i].startswith("***")), len(lines))
        if path := _operand(line, _ADD):
            added = [body[1:] for body in lines[at:end] if body.startswith("+")]
            yield AddFile(path, "\n".join(added))
            at = end
        elif path := _operand(line, _DELETE):
            yield DeleteFile(path)
        elif path := _operand(line, _UPDATE):
            move_to = _operand(lines[at], _MOVE) if at < len(lines) else None
            at += move_to is not None
            chunks, at = _chunks(lines, at)
            yield UpdateFile(path, chunks, move_to)


def _operand(line: str, header: str) -> str | None:
    """The path after a header; None if the line is something else or names none."""
    return trim(line[len(header) :]) or None if line.startswith(header) else None


def _chunks(lines: Sequence[str], at: int) -> tuple[list[Chunk], int]:
    chunks: list[Chunk] = []
    while at < len(lines) and not lines[at].startswith("***"):
        if not lines[at].startswith("@@"):
            at += 1
            continue
        context = trim(lines[at][2:])
        old: list[str] = []
        new: list[str] = []
        at_end = False
        at += 1
        while at < len(lines) and not lines[at].startswith("@@"):
            line = lines[at]
            if line.startswith("***"):
                at_end = line == _END_OF_FILE
                at += at_end
                break
            if line.startswith((" ", "-")):
                old.append(line[1:])
            if line.startswith((" ", "+")):
                new.append(line[1:])
            at += 1
        chunks.append(Chunk(old, new, context, at_end))
    return chunks, at


# ── applying ──────────────────────────────────────────────────────────────────────────────────


def apply_chunks(path: str, content: str, chunks: Sequence[Chunk]) -> str:
    """The file's text with the chunks applied; it ends in a line feed. ``path`` is for errors.
    Raises PatchError when a chunk's lines are not there."""
    lines = content.split("\n")
    if lines[-1] == "":
        lines.pop()
    # Patches come with line feeds; a file all in CRLF stays so.
    ending = "\r" if lines and all(line.endswith("\r") for line in lines) else ""
    replacements: list[tuple[int, int, Sequence[str]]] = []
    cursor = 0
    for chunk in chunks:
        if chunk.context:
            found = seek(lines, [chunk.context], cursor)
            if found is None:
                raise PatchError(f"Failed to find context '{chunk.context}' in {path}")
            cursor = found + 1
        if not chunk.old:
            replacements.append((len(lines), 0, chunk.new))
            continue
        old, new = chunk.old, chunk.new
        found = seek(lines, old, cursor, chunk.at_end)
        if found is None and old[-1] == "":
            # The quoted text may include the empty piece after the file's last line break.
            old, new = old[:-1], new[:-1] if new and new[-1] == "" else new
            found = seek(lines, old, cursor, chunk.at_end)
        if found is None:
            raise PatchError(f"Failed to find expected lines in {path}:\n" + "\n".join(chunk.old))
        replacements.append((found, len(old), new))
        cursor = found + len(old)
    # From the end, so that earlier places hold; of several in one place the first comes first.
    replacements.sort(key=lambda r: r[0])
    for start, count, new in reversed(replacements):
        lines[start : start + count] = [line.removesuffix(ending) + ending for line in new]
    if not lines or lines[-1] != "":
        lines.append("")
    return "\n".join(lines)


def seek(
    lines: Sequence[str], wanted: Sequence[str], start: int, at_end: bool = False
) -> int | None:
    """Where the wanted lines stand at or after ``start``: exactly, else but for white space at the
    end, else at both ends, else but for typographic variants of ASCII characters."""
    if not wanted:
        return None
    last = len(lines) - len(wanted)
    places: list[int] = [*([last] if at_end and last >= start else []), *range(start, last + 1)]
    for normal in _NORMAL_FORMS:
        have, want = [normal(line) for line in lines], [normal(line) for line in wanted]
        for place in places:
            if have[place] == want[0] and have[place : place + len(want)] == want:
                return place
    return None


_ASCII = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015", "-"),
        "\u2026": "...",
        "\xa0": " ",
    }
)
_NORMAL_FORMS: Sequence[Callable[[str], str]] = (
    str,
    trim_end,
    trim,
    lambda line: trim(line).translate(_ASCII),
)
