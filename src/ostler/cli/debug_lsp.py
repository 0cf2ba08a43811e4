"""``ostler debug lsp``: what language servers say of this place."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.engine.instance import Instance

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def lsp() -> None:
    """What language servers say of this place."""


@app.command()
def diagnostics(file: Annotated[str, typer.Argument(help="The file to look at.")]) -> None:
    """Print what is wrong with a file, and with others as far as its servers say."""

    async def found(instance: "Instance") -> Any:
        path = _ready(instance, file)
        await instance.language_servers.show(path, settle=True, whole=True)
        return instance.language_servers.diagnostics()

    _print(found)


@app.command()
def symbols(
    query: Annotated[str, typer.Argument(help="A part of the name; '' for any.")],
    file: Annotated[
        str | None, typer.Option("--file", help="Ask the servers of this file alone.")
    ] = None,
) -> None:
    """Print what the project defines by a name: ten symbols at most from each server."""

    async def found(instance: "Instance") -> Any:
        from ostler.integrations.lsp.queries import workspace_symbols

        servers = instance.language_servers
        paths = [_ready(instance, file)] if file else await _samples(instance)
        for path in paths:
            await servers.show(path, settle=True)
        return await workspace_symbols(servers.connected(), query)

    _print(found)


@app.command("document-symbols")
def document_symbols(file: Annotated[str, typer.Argument(help="The file, or its URI.")]) -> None:
    """Print what a file defines."""

    async def found(instance: "Instance") -> Any:
        from ostler.integrations.lsp.documents import path_of
        from ostler.integrations.lsp.queries import document_symbols as ask

        path = _ready(instance, path_of(file) or file)
        await instance.language_servers.show(path)
        return await ask(await instance.language_servers.clients(path), path)

    _print(found)


def _ready(instance: "Instance", file: str) -> str:
    """A file's absolute path. Raises Stop where no server can tell of it."""
    import os

    from ostler.cli.failures import USAGE, Stop

    path = os.path.abspath(os.path.join(instance.directory, file))
    if not os.path.isfile(path):
        raise Stop(f"There is no file {path}", USAGE)
    if not instance.config.lsp:
        raise Stop('Language servers are off; "lsp": true in opencode.json turns them on.', USAGE)
    objection = instance.language_servers.objection(path)
    if objection is not None:
        raise Stop(objection, USAGE)
    return path


async def _samples(instance: "Instance") -> list[str]:
    """A file of each kind that has a server: servers are started by files."""
    import os

    from ostler.integrations.lsp.documents import extension_of
    from ostler.project.search import find_files

    by_kind: dict[str, str] = {}
    for name in await find_files(instance.directory, limit=_LOOKED_AT):
        by_kind.setdefault(extension_of(name), os.path.join(instance.directory, name))
    servers = instance.language_servers
    return [path for path in by_kind.values() if servers.objection(path) is None]


_LOOKED_AT = 10_000


def _print(wanted: "Callable[[Instance], Awaitable[Any]]") -> None:
    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def answered() -> Any:
        async with opened() as (_, instance):
            return await wanted(instance)

    with reported():
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(asyncio_run(answered())), indent=2).decode())
