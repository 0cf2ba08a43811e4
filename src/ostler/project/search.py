"""Finding files by glob and text by regular expression, with ripgrep or its stand-in.

Both are run as a child process in the directory that is searched, with a deadline, and are killed
when enough was found or the caller is cancelled. Matches come back as data; who asks formats them.
"""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache

import msgspec

from ostler.schema.errors import ToolError

DEADLINE = 60.0
"""Seconds a search may take."""

MAX_EVENT = 16 * 1024 * 1024
"""Bytes of one line of output; a longer one (a match in a line that long) is passed over."""

Program = Sequence[str]

STAND_IN: Program = (
    sys.executable,
    "-I",
    "-S",
    "-c",
    # Isolated, so that no module of the searched project is imported by mistake.
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from ostler.project.search_program import main; sys.exit(main(sys.argv[1:]))",
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
)
"""The pure Python search program."""


class SearchFailed(ToolError):
    """The search did not run to its end: a bad pattern, a missing folder, or the deadline."""


class Submatch(msgspec.Struct, frozen=True):
    """One match in a line; ``start`` and ``end`` are bytes from the line's beginning."""

    text: str
    start: int
    end: int


class Match(msgspec.Struct, frozen=True):
    """A matching line, with its line break. ``path`` is relative to the searched directory;
    ``absolute_offset`` is the line's place in the file in bytes."""

    path: str
    line_number: int
    absolute_offset: int
    line: str
    submatches: tuple[Submatch, ...]


@cache
def default_program() -> Program:
    """``rg`` on PATH, else the stand-in; looked up once a process. ``OSTLER_RIPGREP`` names another
    executable, or ``none``."""
    configured = os.environ.get("OSTLER_RIPGREP")
    if configured == "none":
        return STAND_IN
    found = configured or shutil.which("rg")
    return (found,) if found else STAND_IN


async def find_files(
    directory: str,
    glob: str | None = None,
    *,
    limit: int,
    hidden: bool = False,
    deadline: float = DEADLINE,
    program: Program | None = None,
) -> list[str]:
    """At most ``limit`` files under a directory, relative to it, in the order they are come upon.

    Ignore files are respected, except that a ``glob`` that names a file brings it in; dot files
    are left out unless ``hidden`` or named. Raises SearchFailed.
    """
    flags = ["--no-config", "--files"]
    if hidden:
        flags.append("--hidden")
    if glob is not None:
        flags.append(f"--glob={glob}")
    flags += ["--glob=!**/.git/**", "."]
    found: list[str] = []

    def take(line: bytes) -> bool:
        found.append(os.fsdecode(line.removeprefix(b"./")))
        return len(found) < limit

    await _run(program or default_program(), flags, directory, take, deadline)
    return found


async def search_text(
    directory: str,
    pattern: str,
    *,
    limit: int,
    include: str | None = None,
    deadline: float = DEADLINE,
    program: Program | None = None,
) -> list[Match]:
    """At most ``limit`` matching lines in the files under a directory, dot files included, ignored
    and binary ones not. ``include`` is a glob the files must match. Raises SearchFailed."""
    flags = ["--no-config", "--json", "--hidden", "--no-messages"]
    if include is not None:
        flags.append(f"--glob={include}")
    flags += ["--glob=!**/.git/**", "--", pattern, "."]
    found: list[Match] = []

    def take(line: bytes) -> bool:
        if line.startswith((b'{"type":"match"', b'{"type": "match"')):
            found.append(_match(line))
        return len(found) < limit

    await _run(program or default_program(), flags, directory, take, deadline)
    return found


# ── ripgrep's events ──────────────────────────────────────────────────────────────────────────


class _Text(msgspec.Struct, rename={"raw": "bytes"}):
    """``raw`` (base64 on the wire) stands for what is not UTF-8."""

    text: str | None = None
    raw: bytes = b""

    def shown(self) -> str:
        return self.raw.decode("utf-8", "replace") if self.text is None else self.text


class _Span(msgspec.Struct):
    match: _Text
    start: int
    end: int


class _Data(msgspec.Struct):
    path: _Text
    lines: _Text
    line_number: int
    absolute_offset: int
    submatches: list[_Span]


class _Event(msgspec.Struct):
    data: _Data


def _match(line: bytes) -> Match:
    data = msgspec.json.decode(line, type=_Event).data
    path = data.path.text or os.fsdecode(data.path.raw)
    return Match(
        path.removeprefix("./"),
        data.line_number,
        data.absolute_offset,
        data.lines.shown(),
        tuple(Submatch(s.match.shown(), s.start, s.end) for s in data.submatches),
    )


# ── the child process ─────────────────────────────────────────────────────────────────────────


async def _run(
    program: Program,
    flags: Sequence[str],
    directory: str,
    take: Callable[[bytes], bool],
    deadline: float,
) -> None:
    """Hand every line of output to ``take`` until it says no. Raises SearchFailed."""
    try:
        async with asyncio.timeout(deadline):
            status, complaint = await _finished([*program, *flags], directory, take)
    except TimeoutError:
        raise SearchFailed(
            f"The search in {directory} was stopped after {deadline:g} s. "
            "Search a smaller folder or use a more specific pattern."
        ) from None
    if status not in (0, 1) and not (status == 2 and _harmless(complaint)):
        raise SearchFailed(complaint or f"The search program failed with status {status}")


async def _finished(
    command: Sequence[str], directory: str, take: Callable[[bytes], bool]
) -> tuple[int, str]:
    """The exit status and the first messages; (0, "") when ``take`` had enough before the end."""
    process = await _start(command, directory)
    assert process.stdout is not None
    assert process.stderr is not None
    messages = asyncio.create_task(_head(process.stderr))
    try:
        if not await _feed(process.stdout, take):
            return 0, ""
        return await process.wait(), await messages
    finally:
        if process.returncode is None:
            process.kill()
        messages.cancel()
        await asyncio.wait([messages])
        # Whatever is still in the pipes must be read, or the transport never sees their end.
        await process.communicate()


_NO_FAILURE = re.compile(r"\(os error \d+\)$|: line \d+: error parsing glob ")


def _harmless(complaint: str) -> bool:
    """Whether only single files, folders or ignore rules could not be read: the rest was searched.
    With --no-messages ripgrep says nothing of them."""
    return all(_NO_FAILURE.search(line) for line in complaint.splitlines())


async def _start(command: Sequence[str], directory: str) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as e:
        if not os.path.isdir(directory):
            raise SearchFailed(f"No such directory: {directory}") from None
        raise SearchFailed(f"Cannot run {command[0]} in {directory}: {e.strerror}") from None


async def _feed(stdout: asyncio.StreamReader, take: Callable[[bytes], bool]) -> bool:
    """Whether ``take`` wanted every line there was."""
    rest, skipping = bytearray(), False
    while block := await stdout.read(64 * 1024):
        *lines, last = block.split(b"\n")
        for line in lines:
            whole = bytes(rest) + line
            rest.clear()
            if skipping:
                skipping = False
            elif whole and not take(whole):
                return False
        rest += last
        if len(rest) > MAX_EVENT:
            rest.clear()
            skipping = True
    return True


async def _head(stderr: asyncio.StreamReader) -> str:
    """The first 8 KiB of the messages; the rest is read and dropped."""
    kept = b""
    while block := await stderr.read(8192):
        kept += block[: 8192 - len(kept)]
    return kept.decode("utf-8", "replace").strip()
