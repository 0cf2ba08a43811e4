"""Running the ``git`` program: one place for its environment, deadlines, limits and failures."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from ostler.schema.errors import DomainError

DEADLINE = 30.0
"""Seconds a git command may take unless its caller knows better."""
OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of standard output that are kept; a command that writes more is ended."""
_ERROR_LIMIT = 64 * 1024

# Variables that point git at another repository than the directory's (git rev-parse
# --local-env-vars, less those that carry configuration). They are set when Ostler itself was
# started by a git hook.
_FOREIGN = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
# No prompt can be answered here, messages are read by programs, and a look at a repository takes
# no lock in it.
_OURS = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
# Names as they are; no program from a repository's own configuration for the sake of a status.
_SETTINGS = ("-c", "core.quotepath=false", "-c", "core.fsmonitor=false")


class GitError(DomainError):
    """A git command could not do its work. ``GitMissing``, ``GitTimeout``, ``GitNoDirectory`` and
    ``GitFailed`` say why."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{type(self).__name__}Error", message)


class GitMissing(GitError):
    """There is no ``git`` program on PATH."""

    def __init__(self) -> None:
        super().__init__("The git program was not found on PATH; install git to use this.")


class GitTimeout(GitError):
    """The command was ended at its deadline."""

    def __init__(self, arguments: Sequence[str], seconds: float) -> None:
        super().__init__(f"`git {_shown(arguments)}` was ended after {seconds:g} s.")


class GitNoDirectory(GitError):
    """The directory is not there, or is none."""

    def __init__(self, directory: str) -> None:
        super().__init__(f"No such directory: {directory}")


class GitFailed(GitError):
    """The command ended with an exit status other than 0. ``detail`` is what it printed."""

    def __init__(self, arguments: Sequence[str], code: int, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"`git {_shown(arguments)}` failed ({code}): {detail or 'no message'}")


class Output(msgspec.Struct, frozen=True):
    """What a command answered. ``truncated``: it wrote more than the limit and was ended."""

    code: int
    stdout: bytes
    stderr: str
    truncated: bool = False

    @property
    def text(self) -> str:
        """Standard output; bytes that are not UTF-8 survive a round trip to the file system."""
        return os.fsdecode(self.stdout)

    @property
    def line(self) -> str:
        return self.text.strip()


def environment() -> dict[str, str]:
    """The process environment without what would point git at another repository."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, **_OURS}


async def git(
    directory: str,
    *arguments: str,
    stdin: bytes | None = None,
    deadline: float = DEADLINE,
    limit: int = OUTPUT_LIMIT,
) -> Output:
    """Run ``git`` in ``directory`` and return what it answered, whatever its exit status.

    Raises GitMissing, GitTimeout, GitNoDirectory.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *_SETTINGS,
            *arguments,
            cwd=directory,
            env=environment(),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError):
        raise _absent(directory) from None
    try:
        async with asyncio.timeout(deadline):
            return await _answer(process, stdin, limit)
    except TimeoutError:
        raise GitTimeout(arguments, deadline) from None
    finally:
        await _end(process)


async def checked(
    directory: str,
    *arguments: str,
    stdin: bytes | None = None,
    deadline: float = DEADLINE,
    limit: int = OUTPUT_LIMIT,
) -> Output:
    """Like ``git``, and raises GitFailed when the exit status is not 0."""
    answer = await git(directory, *arguments, stdin=stdin, deadline=deadline, limit=limit)
    if answer.code != 0 and not answer.truncated:
        raise GitFailed(arguments, answer.code, answer.stderr.strip())
    return answer


def run(directory: str, *arguments: str, deadline: float = DEADLINE) -> Output:
    """The blocking form, for code that runs in a thread. Same answers and errors as ``git``."""
    try:
        done = subprocess.run(
            ["git", *_SETTINGS, *arguments],
            cwd=directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline,
            check=False,
        )
    except (FileNotFoundError, NotADirectoryError):
        raise _absent(directory) from None
    except subprocess.TimeoutExpired:
        raise GitTimeout(arguments, deadline) from None
    return Output(done.returncode, done.stdout, os.fsdecode(done.stderr))


async def _answer(process: asyncio.subprocess.Process, stdin: bytes | None, limit: int) -> Output:
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.TaskGroup() as group:
        out = group.create_task(_read(process.stdout, limit, process))
        errors = group.create_task(_read(process.stderr, _ERROR_LIMIT))
        if stdin is not None:
            group.create_task(_write(process, stdin))
    code = await process.wait()
    kept, truncated = out.result()
    return Output(code, kept, os.fsdecode(errors.result()[0]), truncated)


async def _read(
    stream: asyncio.StreamReader,
    limit: int,
    end_beyond: asyncio.subprocess.Process | None = None,
) -> tuple[bytes, bool]:
    """The first ``limit`` bytes, and whether there were more. The rest is read and dropped, or
    ends the process."""
    kept = bytearray()
    truncated = False
    while chunk := await stream.read(1 << 18):
        room = limit - len(kept)
        kept += chunk[:room]
        if len(chunk) > room and not truncated:
            truncated = True
            if end_beyond is not None:
                _kill(end_beyond)
    return bytes(kept), truncated


async def _write(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # its exit status tells why
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _kill(process)
        await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its own group: helpers of git end with it


def _absent(directory: str) -> GitError:
    return GitMissing() if os.path.isdir(directory) else GitNoDirectory(directory)


def _shown(arguments: Sequence[str]) -> str:
    return " ".join(arguments[:4]) + (" …" if len(arguments) > 4 else "")
