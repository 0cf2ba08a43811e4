"""Version control as the API shows it."""

from typing import Literal

from ostler.schema.base import Wire

FileStatus = Literal["added", "deleted", "modified"]


class VcsInfo(Wire):
    branch: str | None = None
    default_branch: str | None = None


class VcsFileStatus(Wire):
    """Counts are lines, 0 for a binary file."""

    file: str
    additions: int
    deletions: int
    status: FileStatus


class VcsFileDiff(Wire):
    """``patch`` is git's text for one file."""

    file: str
    additions: int
    deletions: int
    patch: str | None = None
    status: FileStatus | None = None


class VcsApplyInput(Wire):
    patch: str


class VcsApplied(Wire):
    applied: bool
