"""A stand-in for ripgrep: takes the flags ``ostler.project.search`` passes, prints what rg would.

It runs as a process of its own, so that an expression that backtracks for ever, or a huge tree, can
be stopped like rg can. Standard library only, and started without site packages, to start fast.
"""

import io
import json
import os
import re
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ostler.project.globs import BadGlob
from ostler.project.ignore import Overrides, walk
from ostler.project.rust_regex import BadRegex, compile_regex

BUFFER = 64 * 1024
"""Bytes ripgrep reads at a time: a NUL ends the search of a file at the buffer it stands in."""

FOUND, NOTHING, FAILED = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run one search of the current directory; returns ripgrep's exit status."""
    flags, operands = _split(arguments)
    globs = [flag.removeprefix("--glob=") for flag in flags if flag.startswith("--glob=")]
    out = sys.stdout.buffer
    try:
        files = walk(os.getcwdb(), Overrides(globs), hidden="--hidden" in flags)
        if "--files" in flags:
            found = _list(files, out)
        else:
            found = _search(files, compile_regex(operands[0]), out)
        out.flush()
    except (BadGlob, BadRegex) as e:
        print(e, file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader has all it wants. Python must not flush again on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND
    return FOUND if found else NOTHING


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    if "--" in arguments:
        at = arguments.index("--")
        return arguments[:at], arguments[at + 1 :]
    return arguments, ()


def _list(files: Iterator[bytes], out: BinaryIO) -> bool:
    found = False
    for path in files:
        out.write(b"./" + path + b"\n")
        found = True
    return found


def _search(files: Iterator[bytes], regex: "re.Pattern[str]", out: BinaryIO) -> bool:
    found = False
    for path in files:
        name = _text(b"./" + path)
        try:
            with open(path, "rb", buffering=0) as file:
                for match in search_file(file, regex):
                    out.write(json.dumps(_event(name, match)).encode() + b"\n")
                    found = True
        except OSError:
            continue
    return found


Match = tuple[int, int, bytes, list[tuple[bytes, int, int]]]
"""Line number, offset of the line in the file, the line, and (text, start, end) of what matched."""


def _event(name: dict[str, str], match: Match) -> dict[str, Any]:
    line_number, offset, line, spans = match
    submatches = [{"match": _text(t), "start": start, "end": end} for t, start, end in spans]
    data = {
        "path": name,
        "lines": _text(line),
        "line_number": line_number,
        "absolute_offset": offset,
        "submatches": submatches,
    }
    return {"type": "match", "data": data}


def _text(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"bytes": b64encode(data).decode()}


def search_file(file: BinaryIO, regex: "re.Pattern[str]") -> Iterator[Match]:
    """The matching lines of a file, up to the first buffer that holds a NUL."""
    line_number, offset = 1, 0
    for lines in _buffers(_transcoded(file)):
        yield from _search_lines(lines, regex, line_number, offset)
        line_number += lines.count(b"\n")
        offset += len(lines)


def _transcoded(file: BinaryIO) -> BinaryIO:
    """The file from its first character on; UTF-16 with a byte order mark is read as UTF-8."""
    mark = file.read(3)
    if mark[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = (mark + file.read()).decode("utf-16", "replace")
        return io.BytesIO(text.encode("utf-8", "replace"))
    if mark != b"\xef\xbb\xbf":
        file.seek(0)
    return file


def _buffers(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines at a time, read in ripgrep's steps."""
    rest, capacity = b"", BUFFER
    while True:
        if len(rest) >= capacity:
            capacity *= 2
        block = file.read(capacity - len(rest))
        if b"\0" in block:
            return
        if not block:
            if rest:
                yield rest
            return
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block


def _search_lines(
    data: bytes, regex: "re.Pattern[str]", line_number: int, offset: int
) -> Iterator[Match]:
    text = data.decode("utf-8", "surrogateescape")
    at = 0
    while at < len(text):
        candidate = regex.search(text, at)
        if candidate is None:
            return
        start = text.rfind("\n", 0, candidate.start()) + 1
        # A match may begin at the very end of the text, after its last line.
        if start >= len(text):
            return
        end = text.find("\n", start)
        end = len(text) if end < 0 else end + 1
        skipped = text[at:start]
        line_number += skipped.count("\n")
        offset += len(_bytes(skipped))
        line = text[start:end]
        # What was found in the whole text may reach over the line's end; a line is all rg sees.
        spans = _spans(regex, line)
        raw = _bytes(line)
        if spans is not None:
            yield line_number, offset, raw, spans
        line_number += 1
        offset += len(raw)
        at = end


def _spans(regex: "re.Pattern[str]", line: str) -> list[tuple[bytes, int, int]] | None:
    """The matches in a line in bytes, as Rust finds them one after another; None if there is none.
    An empty match at the very end of a file without a final line break counts but is not listed."""
    content = line.removesuffix("\n")
    spans: list[tuple[bytes, int, int]] | None = None
    at, last_end = 0, -1
    while at <= len(content):
        match = regex.search(content, at)
        if match is None:
            break
        start, end = match.span()
        at = end + (start == end)
        # No empty match right after another match.
        if start == end == last_end:
            continue
        last_end = end
        spans = [] if spans is None else spans
        if start < len(line):
            first = len(_bytes(line[:start]))
            text = _bytes(match[0])
            spans.append((text, first, first + len(text)))
    return spans


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
