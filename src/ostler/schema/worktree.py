"""Worktrees: further checkouts of a project, each on a branch of its own."""

from ostler.schema.base import PathText, Wire


class Worktree(Wire):
    name: str
    directory: str
    branch: str | None = None


class WorktreeCreateInput(Wire):
    """``startCommand`` runs in the new checkout once its files are there."""

    name: str | None = None
    startCommand: str | None = None


class WorktreeDirectoryInput(Wire):
    directory: PathText
