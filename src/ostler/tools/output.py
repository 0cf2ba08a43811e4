"""A command's output as it comes in: its end in memory, all of it in a file when it is long."""

import codecs
from collections import deque
from contextlib import suppress
from typing import BinaryIO

import msgspec

from ostler.tools import truncate
from ostler.tools.truncate import Limits

PREVIEW = 30_000
"""Characters of the output's end that are shown while a command runs."""
MAX_FILE = 1 << 30
"""Bytes kept of one output on disk."""


class Tail(msgspec.Struct, frozen=True):
    """The end of an output; ``path`` is the file with all of it when ``cut``."""

    text: str
    cut: bool
    path: str | None


class Output:
    """Takes chunks; hands out what to show. Close it."""

    def __init__(self, limits: Limits, output_dir: str) -> None:
        self._limits, self._output_dir = limits, output_dir
        # At least what a preview takes, at four bytes a character.
        self._keep = max(2 * limits.bytes, 4 * PREVIEW)
        self._chunks: deque[bytes] = deque()
        self._held = self._total = 0
        self._file: BinaryIO | None = None
        self._path: str | None = None

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._held += len(chunk)
        self._total += len(chunk)
        if self._path is None and self._total > self._limits.bytes:
            self._spill()
        elif self._total <= MAX_FILE:
            self._write(chunk)
        while self._held - len(self._chunks[0]) >= self._keep:
            self._held -= len(self._chunks.popleft())

    def preview(self) -> str:
        """The last 30,000 characters, with a mark when there was more."""
        text = self._text(final=False)
        if len(text) <= PREVIEW and self._held == self._total:
            return text
        return "...\n\n" + text[-PREVIEW:]

    def tail(self) -> Tail:
        """The last lines within the limits; the whole is in a file if they are not all."""
        text = self._text()
        lines = text.split("\n")
        if self._path is None and len(lines) <= self._limits.lines:
            return Tail(text, False, None)
        if self._path is None:
            self._spill()
        return Tail(_last_lines(lines, self._limits), True, self._path)

    def close(self) -> None:
        if self._total > MAX_FILE:
            self._write(b"\n[what came after the first GiB was not kept]\n")
        self._close_file()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what waits to be written finds no room either
                file.close()

    def _spill(self) -> None:
        try:
            self._path = truncate.new_path(self._output_dir)
            self._file = open(self._path, "wb")  # noqa: SIM115 (closed by close)
        except OSError as e:
            self._path = f"nowhere ({e})"
        self._write(b"".join(self._chunks))

    def _write(self, data: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.write(data)
        except OSError:
            # A full disk must not take the command down: the end is still in memory.
            self._close_file()

    def _text(self, final: bool = True) -> str:
        """What is held; ``final``: a character that is cut off at the end is shown as U+FFFD."""
        data = b"".join(self._chunks)
        if self._held < self._total:
            # The beginning was dropped somewhere, perhaps within a character.
            start = next((i for i in range(min(4, len(data))) if data[i] & 0xC0 != 0x80), 0)
            data = data[start:]
        return _DECODER("replace").decode(data, final)


_DECODER = codecs.getincrementaldecoder("utf-8")


def _last_lines(lines: list[str], limits: Limits) -> str:
    """As many whole lines from the end as fit; of a last line that alone is too long, its end."""
    kept: list[str] = []
    used = 0
    for line in reversed(lines):
        cost = len(line.encode()) + (1 if kept else 0)
        if len(kept) >= limits.lines or used + cost > limits.bytes:
            break
        used += cost
        kept.append(line)
    if any(kept):
        return "\n".join(reversed(kept))
    ending = "\n" if kept else ""
    last = lines[-1] or lines[-2]
    room = limits.bytes - len(ending)
    return last.encode()[-room:].decode("utf-8", "ignore") + ending
