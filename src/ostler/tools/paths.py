"""Paths as tools take and show them, and the question before one leaves the project."""

from ostler.project import boundary
from ostler.project.boundary import PathKind
from ostler.tools.tool import ToolContext


def resolve(context: ToolContext, path: str) -> str:
    """The absolute path of a tool's argument, against the session's directory."""
    return boundary.absolute(path, context.directory)


def display(context: ToolContext, path: str) -> str:
    """An absolute path as titles and permission patterns show it: relative to the worktree."""
    return boundary.relative(path, context.worktree)


def is_inside(context: ToolContext, path: str) -> bool:
    return boundary.inside(path, context.directory, context.worktree)


async def ask_external(context: ToolContext, path: str, kind: PathKind = "file") -> None:
    """Ask for ``external_directory`` when an absolute path lies outside the project, or leads out
    of it by a symbolic link. Raises what ``context.host.ask`` raises."""
    if is_inside(context, path):
        real = boundary.escape(path, context.directory, context.worktree)
        if real is None:
            return
        path = real
    pattern = boundary.external_pattern(path, kind)
    await context.host.ask(
        "external_directory",
        [pattern],
        [pattern],
        {"filepath": path, "parentDir": pattern.removesuffix("/*") or "/"},
    )
