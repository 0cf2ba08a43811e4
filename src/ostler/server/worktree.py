"""Worktrees of a project."""

import os
from typing import TYPE_CHECKING

from ostler.engine.words import slug
from ostler.project import vcs, worktree
from ostler.project.checkout import Checkout, find_checkout
from ostler.schema.errors import OstlerError
from ostler.schema.event import WorktreeFailed, WorktreeReady
from ostler.schema.worktree import Worktree, WorktreeCreateInput, WorktreeDirectoryInput
from ostler.server.asgi import TRUE, Response
from ostler.server.operation import Context, operation
from ostler.tools import process, shell

if TYPE_CHECKING:
    from ostler.engine.instance import Instance

START_SECONDS = 600.0
"""How long start commands may take."""


@operation("GET /experimental/worktree", "worktree.list", answer=list[str])
async def list_worktrees(context: Context) -> list[str]:
    return (await context.instance()).project.sandboxes


@operation(
    "POST /experimental/worktree",
    "worktree.create",
    body=WorktreeCreateInput,
    optional_body=True,
    answer=Worktree,
)
async def create(context: Context) -> Worktree:
    """Answers at once; ``worktree.ready`` or ``worktree.failed`` tells when it can be used."""
    instance, checkout = await _repository(context)
    body: WorktreeCreateInput = context.body
    folder = os.path.join(context.runtime.paths.data, "worktree", instance.project.id)
    made = await worktree.create(checkout.worktree, folder, body.name, slug)
    context.runtime.change_sandboxes(instance.project, add=made.directory)
    context.runtime.tasks.start(_prepare(context, instance, made, body.startCommand), START_SECONDS)
    return made


@operation(
    "DELETE /experimental/worktree",
    "worktree.remove",
    body=WorktreeDirectoryInput,
    answer=bool,
)
async def remove(context: Context) -> Response:
    instance, checkout = await _repository(context)
    directory: str = context.body.directory
    if not os.path.exists(directory):  # gone is gone (OpenCode 1.18)
        context.runtime.change_sandboxes(instance.project, remove=directory)
        return TRUE
    await context.runtime.dispose(os.path.normpath(directory))
    await worktree.remove(checkout.worktree, directory)
    context.runtime.change_sandboxes(instance.project, remove=directory)
    return TRUE


@operation(
    "POST /experimental/worktree/reset",
    "worktree.reset",
    body=WorktreeDirectoryInput,
    answer=bool,
)
async def reset(context: Context) -> Response:
    _, checkout = await _repository(context)
    default = (await vcs.info(checkout)).default_branch
    await worktree.reset(checkout.worktree, context.body.directory, default)
    return TRUE


async def _repository(context: Context) -> "tuple[Instance, Checkout]":
    instance = await context.instance()
    checkout = find_checkout(instance.directory)
    if checkout is None:
        raise worktree.WorktreeError("NotGit", "Worktrees need a git repository")
    return instance, checkout


async def _prepare(
    context: Context, instance: "Instance", made: Worktree, command: str | None
) -> None:
    """Files, then the project's start command, then the request's."""
    commands = instance.project.commands
    try:
        await worktree.fill(made.directory)
        for wanted in (commands.start if commands else None, command):
            if wanted:
                await _start(instance, wanted, made.directory)
    except (OstlerError, OSError) as e:
        context.runtime.bus.publish(WorktreeFailed(message=str(e)), instance.location)
        return
    context.runtime.bus.publish(
        WorktreeReady(name=made.name, branch=made.branch), instance.location
    )


async def _start(instance: "Instance", command: str, directory: str) -> None:
    program = shell.choose(instance.config, instance.environment)
    output = bytearray()
    finished = await process.run(
        shell.tool_command(program, command),
        directory=directory,
        environment=instance.environment,
        on_output=lambda chunk: output.extend(chunk[: max(0, 4096 - len(output))]),
        timeout=START_SECONDS,
    )
    if finished.exit != 0:
        said = output.decode("utf-8", "replace").strip()
        raise worktree.WorktreeError("StartCommandFailed", f"`{command}` failed: {said}")
