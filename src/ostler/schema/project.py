"""Projects: a repository (or everything outside one), whatever directories it is checked out in."""

from typing import Literal

from ostler.schema.base import NonNegative, Wire

GLOBAL_PROJECT = "global"
"""The project of every directory outside version control."""


class ProjectIcon(Wire):
    url: str | None = None
    override: str | None = None
    color: str | None = None


class ProjectCommands(Wire):
    start: str | None = None


class ProjectTime(Wire):
    created: NonNegative
    updated: NonNegative
    initialized: NonNegative | None = None


class Project(Wire):
    id: str
    worktree: str
    time: ProjectTime
    sandboxes: list[str]
    vcs: Literal["git"] | None = None
    name: str | None = None
    icon: ProjectIcon | None = None
    commands: ProjectCommands | None = None


class ProjectUpdateInput(Wire):
    name: str | None = None
    icon: ProjectIcon | None = None
    commands: ProjectCommands | None = None


class ProjectDirectory(Wire):
    directory: str
    strategy: str | None = None


class Path(Wire):
    home: str
    state: str
    config: str
    worktree: str
    directory: str
