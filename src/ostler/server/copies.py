"""Copies of a project, and moving a session to one of them."""

import os
import re

import msgspec

from ostler.engine.words import slug
from ostler.project import copies
from ostler.project.checkout import find_checkout
from ostler.project.copies import CopyError, MoveError
from ostler.project.identity import identify
from ostler.schema.base import PathText, SessionID
from ostler.schema.errors import NotFound
from ostler.schema.project import Project
from ostler.server.operation import Context, operation

NAME_WORDS = 4


class CopyInput(msgspec.Struct):
    strategy: str
    directory: PathText
    name: PathText | None = None


class Copy(msgspec.Struct):
    directory: str


class RemoveInput(msgspec.Struct):
    directory: PathText
    force: bool


class NameInput(msgspec.Struct):
    context: str | None = None


class Name(msgspec.Struct):
    name: str


class Destination(msgspec.Struct):
    directory: PathText


class MoveInput(msgspec.Struct):
    sessionID: SessionID
    destination: Destination
    moveChanges: bool | None = None


@operation(
    "POST /experimental/project/{projectID}/copy",
    "v2.projectCopy.create",
    body=CopyInput,
    answer=Copy,
)
async def create(context: Context) -> Copy:
    project = _project(context)
    body: CopyInput = context.body
    name = body.name or slug()
    made = await copies.create(project.worktree, body.strategy, body.directory, name)
    context.runtime.change_sandboxes(project, add=made)
    return Copy(made)


@operation(
    "DELETE /experimental/project/{projectID}/copy", "v2.projectCopy.remove", body=RemoveInput
)
async def remove(context: Context) -> None:
    project = _project(context)
    body: RemoveInput = context.body
    await context.runtime.dispose(os.path.normpath(body.directory))
    await copies.remove(project.worktree, body.directory, body.force)
    context.runtime.change_sandboxes(project, remove=body.directory)


@operation(
    "POST /experimental/project/{projectID}/copy/refresh", "v2.projectCopy.refresh", answer=None
)
async def refresh(context: Context) -> None:
    """Take up the checkouts that git knows, and forget those that are gone."""
    project = _project(context)
    found = await copies.existing(project.worktree)
    known = {os.path.realpath(s): s for s in project.sandboxes if os.path.isdir(s)}
    sandboxes = list({**{path: path for path in found}, **known}.values())
    context.runtime.keep_project(msgspec.structs.replace(project, sandboxes=sandboxes))


@operation(
    "POST /experimental/project/{projectID}/copy/generate-name",
    "experimental.projectCopy.generateName",
    body=NameInput,
    optional_body=True,
    answer=Name,
)
async def generate_name(context: Context) -> Name:
    """From what the copy is for, else at random. No model is asked: a name is worth no call."""
    words = re.findall(r"[a-z0-9]+", (context.body.context or "").lower())
    telling = [word for word in words if len(word) > 2] or words
    return Name("-".join(telling[:NAME_WORDS]) or slug())


@operation(
    "POST /experimental/control-plane/move-session",
    "experimental.controlPlane.moveSession",
    body=MoveInput,
)
async def move_session(context: Context) -> None:
    """Let a session go on in another checkout of its project, with what is not committed if
    ``moveChanges``."""
    body: MoveInput = context.body
    runtime = context.runtime
    try:
        session = runtime.store.sessions.get(body.sessionID)
    except NotFound as e:
        raise MoveError(str(e)) from None
    source, target = session.directory, os.path.normpath(body.destination.directory)
    if not os.path.isabs(target) or not os.path.isdir(target):
        raise MoveError(f"Destination directory does not exist: {target}")
    if identify(target).project_id != session.projectID:
        raise MoveError("Destination directory belongs to another project")
    if (await runtime.instance(source)).runs.busy(session.id):
        raise MoveError(f"Session is busy: {session.id}")
    if body.moveChanges and os.path.realpath(source) != os.path.realpath(target):
        here, there = find_checkout(source), find_checkout(target)
        if here is None or there is None or here.common_dir != there.common_dir:
            raise MoveError("Changes can be moved between checkouts of one repository only")
        await copies.move_changes(here.worktree, there.worktree)
    runtime.store.sessions.save(msgspec.structs.replace(session, directory=target))


def _project(context: Context) -> Project:
    project = context.runtime.store.projects.get(context.params["projectID"])
    if project is None or project.vcs != "git":
        raise CopyError(f"Project copy source not found: {context.params['projectID']}")
    return project
