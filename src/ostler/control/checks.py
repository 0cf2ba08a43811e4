"""A stage's checks: shell commands whose exit codes are the evidence, run by the control plane
where the work was done."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence

import msgspec

from ostler.control.failures import Failure
from ostler.control.plan import Check
from ostler.programs import exit_of, signal_group

OUTPUT_SHOWN = 4_000
"""Characters of the end of a check's output that are kept."""
OUTPUT_LIMIT = 1 << 20
GRACE = 2.0


class Ran(msgspec.Struct, frozen=True):
    """One execution. ``exit`` None: it was stopped at its deadline. ``tree`` is the hash of the
    files it saw (git's, tracked and untracked), None outside version control."""

    exit: int | None
    seconds: float
    output: str
    tree: str | None = None


class Evidence(msgspec.Struct, frozen=True):
    """A check's outcome. ``red`` is how it went on the commit the stage began with, where that was
    asked for; ``runs`` are those on the result; ``flaky``: they do not agree."""

    name: str
    command: str
    passed: bool
    runs: list[Ran]
    red: Ran | None = None
    flaky: bool = False
    why: str = ""


async def run_checks(
    checks: Sequence[Check], directory: str, base: str | None, environment: Mapping[str, str]
) -> tuple[list[Evidence], Failure | None]:
    """All of them, in order. ``base`` is the commit the stage began with."""
    found = [await _one(check, directory, base, environment) for check in checks]
    failed = [evidence for evidence in found if not evidence.passed]
    if not failed:
        return found, None
    message = "; ".join(f"check {e.name}: {e.why}" for e in failed)
    return found, Failure("check_failed", message, {"checks": msgspec.to_builtins(failed)})


async def _one(
    check: Check, directory: str, base: str | None, environment: Mapping[str, str]
) -> Evidence:
    name = check.name or check.run
    red: Ran | None = None
    if check.red_to_green:
        red = await _red(check, directory, base, environment)
        if red is None:
            why = "red_to_green needs a git repository with a commit to begin with"
            return Evidence(name, check.run, False, [], why=why)
        if red.exit == 0:
            why = "it passes on the commit the stage began with, so it shows nothing"
            return Evidence(name, check.run, False, [], red, why=why)
    runs = [await execute(check, directory, environment) for _ in range(check.repeat)]
    passes = sum(1 for run in runs if run.exit == 0)
    flaky = 0 < passes < len(runs)
    return Evidence(name, check.run, passes == len(runs), runs, red, flaky, _why(runs, passes))


def _why(runs: Sequence[Ran], passes: int) -> str:
    if passes == len(runs):
        return ""
    failed = next(run for run in runs if run.exit != 0)
    how = "did not end in time" if failed.exit is None else f"exit {failed.exit}"
    if passes:
        return f"it passes by chance: {passes} of {len(runs)} times, else {how}"
    return f"{how}: {failed.output[-300:].strip()}"


async def _red(
    check: Check, directory: str, base: str | None, environment: Mapping[str, str]
) -> Ran | None:
    """The check on the commit the stage began with, in a worktree that is made for it."""
    if base is None:
        return None
    place = tempfile.mkdtemp(prefix="ostler-red-")
    try:
        added = await git(directory, "worktree", "add", "--detach", "--force", place, base)
        if added is None:
            return None
        return await execute(check, place, environment)
    finally:
        await git(directory, "worktree", "remove", "--force", place)
        shutil.rmtree(place, ignore_errors=True)


async def execute(check: Check, directory: str, environment: Mapping[str, str]) -> Ran:
    """Run a check once. It and what it started are ended at its deadline, and when the caller is
    cancelled."""
    began = time.monotonic()
    tree = await tree_of(directory)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: ASYNC220 -- a vfork: see tools/process.py
            ["/bin/sh", "-c", check.run],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            exited = exit_of(process)
            await asyncio.wait({exited}, timeout=check.timeout)
            exit = exited.result() if exited.done() else None
        finally:
            signal_group(process.pid, signal.SIGKILL)
            process.wait(GRACE)
        size = os.fstat(output.fileno()).st_size
        output.seek(max(0, size - OUTPUT_SHOWN))
        text = output.read(OUTPUT_SHOWN).decode("utf-8", "replace")
    return Ran(exit, round(time.monotonic() - began, 3), text, tree)


# ── git ───────────────────────────────────────────────────────────────────────────────────────


async def git(directory: str, *arguments: str, **variables: str) -> str | None:
    """What git prints, without the final newline; None where it fails."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", **variables}

    def run() -> str | None:
        done = subprocess.run(
            ["git", *arguments],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    try:
        return await asyncio.to_thread(run)
    except (OSError, subprocess.TimeoutExpired):
        return None


async def tree_of(directory: str) -> str | None:
    """The hash of the files as they are, without touching the repository's own index."""
    with tempfile.TemporaryDirectory(prefix="ostler-index-") as folder:
        index = os.path.join(folder, "index")
        own = await git(directory, "rev-parse", "--git-path", "index")
        if own is None:
            return None
        own = os.path.join(directory, own)
        if os.path.exists(own):
            shutil.copyfile(own, index)  # unchanged files need not be hashed again
        await git(directory, "add", "--all", ".", GIT_INDEX_FILE=index)
        return await git(directory, "write-tree", GIT_INDEX_FILE=index)
