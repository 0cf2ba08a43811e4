"""Long output: the model gets a part, the whole is kept in a file for a week."""

import asyncio
import os
import time
from collections.abc import Iterator

import msgspec

from ostler import ids
from ostler.permission import hidden
from ostler.schema.config import Config
from ostler.tools.tool import ToolContext, ToolResult

MAX_LINES = 2000
MAX_BYTES = 51200
RETENTION = 7 * 24 * 3600.0
"""Seconds a whole output is kept."""
KEPT_BYTES = 2 * 1024 * 1024 * 1024
"""Bytes of whole outputs that are kept, the newest."""


class Limits(msgspec.Struct, frozen=True):
    """Lines are the pieces between line feeds, so a final line feed counts one more."""

    lines: int = MAX_LINES
    bytes: int = MAX_BYTES


class Head(msgspec.Struct, frozen=True):
    """The beginning of a text; ``left_out`` counts what follows in ``unit``."""

    text: str
    left_out: int
    unit: str


def limits(config: Config) -> Limits:
    """The limits of ``tool_output`` in the configuration, else 2000 lines and 51200 bytes."""
    chosen = config.tool_output
    if chosen is None:
        return Limits()
    return Limits(chosen.max_lines or MAX_LINES, chosen.max_bytes or MAX_BYTES)


def head(text: str, limit: Limits) -> Head | None:
    """The whole lines from the beginning that fit; None if all of the text does.

    A first line that alone is too long is cut, so that there is something to see.
    """
    lines = text.split("\n")
    size = len(_encoded(text))
    if len(lines) <= limit.lines and size <= limit.bytes:
        return None
    kept = used = 0
    for line in lines[: limit.lines]:
        cost = len(_encoded(line)) + (kept > 0)
        if used + cost > limit.bytes:
            break
        kept, used = kept + 1, used + cost
    else:
        return Head("\n".join(lines[:kept]), len(lines) - kept, "lines")
    if kept:
        return Head("\n".join(lines[:kept]), size - used, "bytes")
    beginning = _encoded(lines[0])[: limit.bytes].decode("utf-8", "ignore")
    return Head(beginning, size - len(_encoded(beginning)), "bytes")


async def bound(result: ToolResult, context: ToolContext) -> ToolResult:
    """A tool's result with its output within the limits and ``metadata.truncated`` set; results
    that already say ``truncated`` are left alone."""
    if "truncated" in result.metadata:
        return result
    part = head(result.output, limits(context.config))
    if part is None:
        return msgspec.structs.replace(result, metadata={**result.metadata, "truncated": False})
    path = await asyncio.to_thread(save, context.output_dir, _encoded(result.output))
    output = f"{part.text}\n\n...{part.left_out} {part.unit} truncated...\n\n{_hint(path, context)}"
    metadata = {**result.metadata, "truncated": True, "outputPath": path}
    return msgspec.structs.replace(result, output=output, metadata=metadata)


def new_path(output_dir: str) -> str:
    """A fresh file name for a whole output; makes the folder."""
    os.makedirs(output_dir, exist_ok=True)
    return os.path.join(output_dir, ids.new("tool"))


def save(output_dir: str, content: bytes) -> str:
    """Keep a whole output; returns the file's path."""
    path = new_path(output_dir)
    with open(path, "wb") as file:
        file.write(content)
    return path


def clean_up(output_dir: str, now: float | None = None, most: int = KEPT_BYTES) -> int:
    """Delete the outputs last written more than a week before ``now`` (seconds since the epoch),
    and the oldest of more than ``most`` bytes; returns how many."""
    oldest = (time.time() if now is None else now) - RETENTION
    removed = total = 0
    for written, size, path in sorted(_outputs(output_dir), reverse=True):
        total += size
        if written >= oldest and total <= most:
            continue
        try:
            os.unlink(path)
            removed += 1
        except OSError:
            # Another process was quicker, or it is not ours to delete: next time, perhaps.
            continue
    return removed


def _outputs(output_dir: str) -> Iterator[tuple[float, int, str]]:
    """(when it was written, bytes, path)"""
    try:
        entries = list(os.scandir(output_dir))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("tool_"):
            try:
                found = entry.stat()
            except OSError:
                continue
            yield found.st_mtime, found.st_size, entry.path


def _hint(path: str, context: ToolContext) -> str:
    where = f"The output was too long to show in full. All of it is in: {path}\n"
    if hidden("task", context.agent.permission):
        return where + "Use grep to search that file, or read with offset and limit to see parts."
    return where + (
        "Have a subagent go through that file with grep and read (task tool) and report what "
        "matters, which keeps its bulk out of this conversation; do not read all of it yourself."
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
