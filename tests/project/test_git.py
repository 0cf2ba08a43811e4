import asyncio
import os
import time
from pathlib import Path

import pytest

from ostler.project.git import (
    GitFailed,
    GitMissing,
    GitNoDirectory,
    GitTimeout,
    checked,
    environment,
    git,
    run,
)
from tests.support.repository import make_repository


def slow_git(folder: Path) -> Path:
    """A program called git that does not end by itself."""
    program = folder / "git"
    folder.mkdir()
    program.write_text("#!/bin/sh\necho begun\nexec sleep 600\n")
    program.chmod(0o755)
    return folder


async def test_answers_with_output_and_exit_status(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "a\n"})

    fine = await git(tmp_path.as_posix(), "ls-files")
    wrong = await git(tmp_path.as_posix(), "rev-parse", "--verify", "nope")

    assert (fine.code, fine.line) == (0, "a.txt")
    assert wrong.code != 0
    assert "nope" in wrong.stderr or "single revision" in wrong.stderr


async def test_checked_raises_with_what_git_printed(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "a\n"})

    with pytest.raises(GitFailed) as failure:
        await checked(str(tmp_path), "switch", "absent-branch")

    assert "absent-branch" in failure.value.detail
    assert failure.value.body()["name"] == "GitFailedError"


async def test_feeds_standard_input(tmp_path: Path) -> None:
    answer = await git(str(tmp_path), "hash-object", "--stdin", stdin=b"hi\n")

    assert answer.line == "45b983be36b73c0788dc9cbcb76cbb80fc7bb057"


async def test_keeps_no_more_output_than_the_limit(tmp_path: Path) -> None:
    answer = await git(str(tmp_path), "help", "-a", limit=100)

    assert answer.truncated
    assert len(answer.stdout) == 100


async def test_a_missing_program_is_a_typed_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GitMissing, match="install git"):
        await git(str(tmp_path), "version")
    with pytest.raises(GitMissing):
        run(str(tmp_path), "version")


async def test_a_missing_directory_is_not_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(GitNoDirectory, match="No such directory"):
        await git(str(tmp_path / "absent"), "version")


async def test_is_ended_at_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{slow_git(tmp_path / 'bin')}:{os.environ['PATH']}")
    began = time.monotonic()

    with pytest.raises(GitTimeout, match=r"`git fetch` was ended after 0\.2 s"):
        await git(str(tmp_path), "fetch", deadline=0.2)
    with pytest.raises(GitTimeout):
        run(str(tmp_path), "fetch", deadline=0.2)

    assert time.monotonic() - began < 10


async def test_ends_when_its_caller_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{slow_git(tmp_path / 'bin')}:{os.environ['PATH']}")
    task = asyncio.create_task(git(str(tmp_path), "fetch"))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)


async def test_variables_of_a_surrounding_git_do_not_redirect_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repository(tmp_path / "here", {"a.txt": "a\n"})
    make_repository(tmp_path / "there", {"a.txt": "a\n"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "there" / ".git"))

    answer = await git(str(tmp_path / "here"), "rev-parse", "--show-toplevel")

    assert answer.line == str(tmp_path / "here")
    assert "GIT_DIR" not in environment()
