"""Looking at a project's files: a folder's entries, a file's content, names that fit a query."""

import base64
import mimetypes
import os
from collections.abc import Callable
from typing import Literal

from ostler.project import fuzzy, search
from ostler.project.boundary import absolute, escape, inside
from ostler.project.collation import collation_key
from ostler.schema.errors import BadRequest, NotFound
from ostler.schema.file import FileContent, FileNode

MAX_CONTENT = 32 * 1024 * 1024
"""Bytes of a file that is answered as a whole."""
MAX_LISTED = 200_000
"""Files looked at for a query."""


def resolve(path: str, directory: str, worktree: str) -> str:
    """The absolute path a request means. Raises BadRequest outside the project, symbolic links
    followed."""
    found = absolute(path, directory)
    if "\0" in path or not inside(found, directory, worktree) or escape(found, directory, worktree):
        raise BadRequest(
            f'Path is outside the project: "{path}" (the project is {directory})\n  at ["path"]',
            "Query",
        )
    return found


def list_folder(path: str, directory: str, worktree: str) -> list[FileNode]:
    """The entries of a folder, folders first, by name. ``ignored`` goes by the ignore files of the
    project's root (OpenCode 1.18). Raises BadRequest, NotFound."""
    folder = resolve(path, directory, worktree)
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries]
    except FileNotFoundError:
        raise NotFound(f"No such folder: {path}") from None
    except NotADirectoryError:
        raise BadRequest(f'Not a folder: "{path}"\n  at ["path"]', "Query") from None
    root = worktree if worktree != "/" else directory
    ignored = _root_rules(root)
    nodes = []
    for name, is_folder in sorted(found, key=lambda e: (not e[1], collation_key(e[0]))):
        whole = os.path.join(folder, name)
        shown = os.path.relpath(whole, directory) + ("/" if is_folder else "")
        nodes.append(
            FileNode(
                name=name,
                path=shown,
                absolute=whole,
                type="directory" if is_folder else "file",
                ignored=ignored(os.path.relpath(whole, root) + ("/" if is_folder else "")),
            )
        )
    return nodes


def read_content(path: str, directory: str, worktree: str) -> FileContent:
    """A file's content; empty where there is no such file (OpenCode 1.18). Raises BadRequest."""
    file = resolve(path, directory, worktree)
    try:
        if os.path.getsize(file) > MAX_CONTENT:
            raise BadRequest(
                f'"{path}" is larger than {MAX_CONTENT // 1024 // 1024} MiB\n  at ["path"]', "Query"
            )
        with open(file, "rb") as opened:
            data = opened.read(MAX_CONTENT)
    except IsADirectoryError:
        raise BadRequest(f'"{path}" is a folder\n  at ["path"]', "Query") from None
    except (FileNotFoundError, NotADirectoryError):
        return FileContent(type="text", content="")
    if b"\0" not in data:
        try:
            return FileContent(type="text", content=data.decode().strip())
        except UnicodeDecodeError:
            pass
    return FileContent(
        type="binary",
        content=base64.b64encode(data).decode("ascii"),
        encoding="base64",
        mimeType=mimetypes.guess_type(file)[0] or "application/octet-stream",
    )


async def find(
    query: str,
    directory: str,
    limit: int,
    kind: Literal["file", "directory"] | None = None,
) -> list[str]:
    """Paths relative to ``directory`` that fit a query, ignored files left out; a folder's ends
    with a slash. Raises SearchFailed."""
    files = await search.find_files(directory, limit=MAX_LISTED, hidden=True)
    folders = {f"{parent}/" for file in files for parent in _parents(file)}
    paths: list[str] = []
    if kind != "directory":
        paths += files
    if kind != "file":
        paths += folders
    return fuzzy.best(query, paths, limit)


def _parents(path: str) -> list[str]:
    pieces = path.split("/")[:-1]
    return ["/".join(pieces[:depth]) for depth in range(1, len(pieces) + 1)]


def _root_rules(root: str) -> Callable[[str], bool]:
    import pathspec  # not at start: few requests list folders

    lines: list[str] = []
    for name in (".gitignore", ".ignore"):
        try:
            with open(os.path.join(root, name), encoding="utf-8", errors="replace") as file:
                lines += file.read().splitlines()
        except OSError:
            continue
    return pathspec.GitIgnoreSpec.from_lines(lines).match_file
