"""Terminals of a project, which a client shows."""

from typing import Annotated, Literal

import msgspec

from ostler.schema.base import NonNegative, Positive, PtyID, Wire


class Pty(Wire):
    """``exitCode`` is there once it has exited."""

    id: PtyID
    title: str
    command: str
    args: list[str]
    cwd: str
    status: Literal["running", "exited"]
    pid: NonNegative
    exitCode: NonNegative | None = None


class PtyCreateInput(Wire):
    command: str | None = None
    args: list[str] | None = None
    cwd: str | None = None
    title: str | None = None
    env: dict[str, str] | None = None


Side = Annotated[int, msgspec.Meta(gt=0, le=10_000)]


class PtySize(Wire):
    rows: Side
    cols: Side


class PtyUpdateInput(Wire):
    title: str | None = None
    size: PtySize | None = None


class PtyShell(Wire):
    path: str
    name: str
    acceptable: bool


class PtyTicket(Wire):
    """``expires_in`` in seconds."""

    ticket: str
    expires_in: Positive
