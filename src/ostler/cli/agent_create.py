"""``ostler agent create``: a model describes the agent, the user says what it may do."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ostler.engine.describe import Described
    from ostler.engine.instance import Instance

PERMISSIONS = (
    *("bash", "read", "edit", "glob", "grep", "webfetch", "task", "todowrite", "websearch"),
    *("lsp", "skill"),
)
"""Those that are asked about, in the order in which they are written (OpenCode 1.18)."""
MODES = ("all", "primary", "subagent")


def create(
    path: Annotated[
        str, typer.Option("--path", help="The configuration folder; agents/ in it is written to.")
    ] = "",
    description: Annotated[str, typer.Option("--description", help="What the agent is for.")] = "",
    mode: Annotated[str, typer.Option("--mode", help=f"{', '.join(MODES)}.")] = "",
    permissions: Annotated[
        str | None,
        typer.Option(
            "--permissions",
            "--tools",
            help="What it may do, with commas; the rest is denied. Empty: everything. "
            f"{', '.join(PERMISSIONS)}.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="The model that describes it: provider/model.")
    ] = "",
) -> None:
    """Let a model write an agent's name, prompt and description.

    With --path, --description, --mode and --permissions nothing is asked, and the file's path is
    all that is printed. A file that is there already is left alone: exit 1.
    """
    from ostler.cli.failures import USAGE, Stop, reported
    from ostler.cli.serve import asyncio_run

    with reported():
        if mode and mode not in MODES:
            raise Stop(f"--mode: expected {', '.join(MODES)}, got {mode!r}", USAGE)
        if model and "/" not in model:
            raise Stop(f"--model: expected provider/model, got {model!r}", USAGE)
        allowed = _allowed(permissions) if permissions is not None else None
        silent = bool(path and description and mode and allowed is not None)
        file = asyncio_run(_create(path, description, mode, allowed, model))
        print(file if silent else f"Agent created: {file}")


async def _create(
    path: str, description: str, mode: str, allowed: Sequence[str] | None, model: str
) -> str:
    """Raises Stop and OSError."""
    from ostler.cli.opened import opened

    async with opened() as (_, instance):
        folder = os.path.join(path or _place(instance), "agents")
        wanted = description or _ask("What is the agent for?")
        described = await _described(instance, wanted, model)
        if allowed is None:
            print(f"It is called {described.identifier}: {described.when_to_use}", file=sys.stderr)
            allowed = _allowed(_ask(f"What may it do? ({', '.join(PERMISSIONS)}; empty: all)", ""))
        mode = mode or _choose("Where does it work?", MODES)
    return _write(folder, described, mode, allowed)


async def _described(instance: "Instance", wanted: str, model: str) -> "Described":
    """Raises Stop with the exit code of what went wrong, NotFound for an unknown model."""
    import msgspec

    from ostler.cli.failures import Stop, exit_code
    from ostler.engine.describe import describe_agent
    from ostler.schema.errors import TurnError

    models = instance.models
    await models.open()
    asked = models.parse(model) if model else models.default()
    try:
        return await describe_agent(instance, wanted, asked)
    except TurnError as e:
        name = f"{asked.providerID}/{asked.id}"
        code = exit_code(msgspec.to_builtins(e.error))
        raise Stop(f"{name} could not describe the agent: {e}", code) from None


def _write(folder: str, described: "Described", mode: str, allowed: Sequence[str]) -> str:
    """Raises Stop where the file is there already, and OSError."""
    import yaml

    from ostler.cli.failures import UNEXPECTED, Stop

    denied = {name: "deny" for name in PERMISSIONS if name not in allowed}
    front = {"description": described.when_to_use, "mode": mode}
    fields = {**front, **({"permission": denied} if denied else {})}
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    file = os.path.join(folder, f"{described.identifier}.md")
    os.makedirs(folder, exist_ok=True)
    try:
        with open(file, "x", encoding="utf-8") as opened:
            opened.write(f"---\n{text}---\n{described.system_prompt.rstrip()}\n")
    except FileExistsError:
        raise Stop(f"Agent file already exists: {file}", UNEXPECTED) from None
    return file


def _allowed(text: str) -> list[str]:
    """The permissions of a list with commas, all for an empty one; unknown ones are told."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in PERMISSIONS:
            print(f"No such permission, ignored: {name}", file=sys.stderr)
    return names or list(PERMISSIONS)


# ── asking ───────────────────────────────────────────────────────────────────────────────────


def _place(instance: "Instance") -> str:
    """The configuration folder that is meant."""
    from ostler.config.paths import default_paths

    everywhere = default_paths().config
    if instance.project.vcs is None:
        return everywhere
    choice = _choose("For this project, or for all?", ("project", "global"))
    return os.path.join(instance.worktree, ".opencode") if choice == "project" else everywhere


def _choose(question: str, choices: Sequence[str]) -> str:
    """One of the choices, the first where nothing is said. Raises Stop."""
    while True:
        said = _ask(f"{question} ({', '.join(choices)})", choices[0])
        if said in choices:
            return said


def _ask(question: str, default: str | None = None) -> str:
    """Raises Stop where nobody is there to answer."""
    from ostler.cli.failures import USAGE, Stop

    if not sys.stdin.isatty():
        raise Stop(
            "There is no terminal to ask at: give --path, --description, --mode and --permissions",
            USAGE,
        )
    while True:
        print(f"{question} ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise Stop("Nothing was answered", USAGE)
        said = line.strip()
        if said or default is not None:
            return said or (default or "")
