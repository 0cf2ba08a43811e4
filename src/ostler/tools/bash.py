"""``bash``: runs a shell command."""

import asyncio
import os
from typing import Annotated

import msgspec

from ostler.project.boundary import inside_pattern
from ostler.schema.base import Positive
from ostler.schema.errors import ToolError
from ostler.tools import paths, shell
from ostler.tools.output import Output
from ostler.tools.process import Finished, run
from ostler.tools.tool import ToolContext, ToolHost, ToolResult, define
from ostler.tools.truncate import limits

DEFAULT_TIMEOUT = 120_000
"""Milliseconds; ``OPENCODE_EXPERIMENTAL_BASH_DEFAULT_TIMEOUT_MS`` sets another one."""
TIMEOUT_VARIABLE = "OPENCODE_EXPERIMENTAL_BASH_DEFAULT_TIMEOUT_MS"
KILL_DELAY = 0.1
"""Seconds a command is given beyond its timeout."""
UPDATE_INTERVAL = 0.1
"""Seconds between two updates of the running part."""


class Params(msgspec.Struct, kw_only=True):
    command: Annotated[str, msgspec.Meta(description="The command to run")]
    timeout: (
        Annotated[
            Positive,
            msgspec.Meta(
                description=f"Milliseconds after which it is stopped (default {DEFAULT_TIMEOUT})"
            ),
        ]
        | None
    ) = None
    workdir: (
        Annotated[
            str,
            msgspec.Meta(
                description="Directory to run in (default: the session's); use it instead of cd"
            ),
        ]
        | None
    ) = None


DESCRIPTION = f"""\
Runs a shell command and returns what it prints, standard output and error together.

- It is for builds, tests, git, package managers and the like. For files use the other tools: read \
instead of cat and head, edit and write instead of sed and echo, glob and grep instead of find and \
grep.
- Quote paths with spaces. Use workdir rather than `cd x && ...`; nothing of one call's shell, \
such as variables or the current directory, is left for the next.
- Nobody can type into the command: use flags that answer questions (--yes, --no-edit).
- A command is stopped after {DEFAULT_TIMEOUT // 60_000} minutes unless `timeout` says otherwise.
- Of long output the end is shown and the whole is saved in a file, so do not cut it with head or \
tail yourself.
- Calls that do not depend on each other can be made at once; chain those that do with `&&`.

Git: commit, push, amend or rewrite history only when asked to. Before a commit look at git \
status, git diff and the recent log, stage only what belongs to it, leave secrets out, and write a \
message that says why. Never skip hooks, force-push to a shared branch or change git's \
configuration unasked. For GitHub use the gh command."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    directory = paths.resolve(context, params.workdir or "")
    await _ask(params.command, directory, context)
    if not os.path.isdir(directory):
        raise ToolError(f"Working directory not found: {directory}")
    timeout = params.timeout or _default_timeout(context)
    output = Output(limits(context.config), context.output_dir)
    progress = _Progress(context.host, output)
    context.host.update(metadata={"output": ""})  # clients show a running shell from here on
    try:
        finished = await _run(params.command, directory, timeout, progress, context)
        return _result(params.command, finished, timeout, output)
    finally:
        progress.close()
        output.close()


TOOL = define("bash", DESCRIPTION, Params, execute)


async def _ask(command: str, directory: str, context: ToolContext) -> None:
    # Imported here: the parser is only needed once a command runs.
    from ostler.tools.bash_commands import scan

    home = context.environment.get("HOME") or os.path.expanduser("~")
    found = scan(command, directory, context.directory, context.worktree, home)
    outside = list(found.directories)
    if not paths.is_inside(context, directory) and directory not in outside:
        outside.append(directory)
    if outside:
        folders = [inside_pattern(folder) for folder in outside]
        await context.host.ask(
            "external_directory",
            folders,
            folders,
            {"command": command, "directories": outside, "patterns": folders},
        )
    if found.patterns:
        await context.host.ask("bash", found.patterns, found.always, {"command": command})


def _default_timeout(context: ToolContext) -> int:
    configured = context.environment.get(TIMEOUT_VARIABLE, "")
    return int(configured) if configured.isdecimal() and int(configured) else DEFAULT_TIMEOUT


async def _run(
    command: str, directory: str, timeout: int, progress: "_Progress", context: ToolContext
) -> Finished:
    program = shell.choose(context.config, context.environment)
    added = await context.host.shell_environment(directory)
    try:
        return await run(
            shell.tool_command(program, command),
            directory=directory,
            environment={**context.environment, **added} if added else context.environment,
            on_output=progress.add,
            timeout=timeout / 1000 + KILL_DELAY,
            aborted=context.aborted,
        )
    except (OSError, ValueError) as e:
        # A command that is too long, or holds a NUL.
        raise ToolError(f"Cannot run the command with {program}: {e}") from None


def _result(command: str, finished: Finished, timeout: int, output: Output) -> ToolResult:
    tail = output.tail()
    text = tail.text or "(no output)"
    if tail.cut:
        text = f"...output truncated...\n\nFull output saved to: {tail.path}\n\n{text}"
    note = _note(finished, timeout)
    if note:
        text += f"\n\n<shell_metadata>\n{note}\n</shell_metadata>"
    metadata = {
        "output": output.preview() or text,
        "exit": finished.exit,
        "truncated": tail.cut,
    }
    if tail.path is not None:
        metadata["outputPath"] = tail.path
    return ToolResult(text, command, metadata)


def _note(finished: Finished, timeout: int) -> str:
    if finished.ending == "timeout":
        return (
            f"shell tool terminated command after exceeding timeout {timeout} ms. "
            "If it needs longer and does not wait for input, call again with a larger timeout."
        )
    return "User aborted the command" if finished.ending == "abort" else ""


class _Progress:
    """Shows the output on the running part: the first chunk at once, later ones in steps."""

    def __init__(self, host: ToolHost, output: Output) -> None:
        self._host, self._output = host, output
        self._loop = asyncio.get_running_loop()
        self._last = -UPDATE_INTERVAL
        self._timer: asyncio.TimerHandle | None = None

    def add(self, chunk: bytes) -> None:
        self._output.add(chunk)
        if self._timer is not None:
            return
        wait = self._last + UPDATE_INTERVAL - self._loop.time()
        if wait <= 0:
            self._show()
        else:
            self._timer = self._loop.call_later(wait, self._show)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _show(self) -> None:
        self._timer = None
        self._last = self._loop.time()
        self._host.update(metadata={"output": self._output.preview()})
