"""Git repositories for tests, made with the git program and nobody's configuration."""

import os
import subprocess
from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(directory: Path, *arguments: str) -> str:
    """Standard output of a git command that must succeed, without the last line end."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env={**os.environ, **_IDENTITY},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.rstrip("\n")


def repository(directory: Path, *, remote: str | None = None, commit: bool = True) -> Path:
    """An initialised repository on branch ``main``, with one committed file ``a.txt``."""
    directory.mkdir(parents=True, exist_ok=True)
    git(directory, "init", "--quiet", "--initial-branch=main")
    if remote is not None:
        git(directory, "remote", "add", "origin", remote)
    if commit:
        commit_files(directory, {"a.txt": "a\n"})
    return directory


def write(directory: Path, files: dict[str, str | bytes]) -> None:
    """Write files below ``directory``, by relative path."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def commit_files(directory: Path, files: dict[str, str | bytes], message: str = "change") -> str:
    """Write files and commit them; returns the commit's hash."""
    write(directory, files)
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(directory, "rev-parse", "HEAD")
