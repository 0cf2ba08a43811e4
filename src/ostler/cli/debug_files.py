"""``ostler debug file`` and ``debug rg``: files as Ostler lists, reads and finds them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.engine.instance import Instance

FOUND = 200
"""Paths that ``file search`` prints at most."""
MOST = 1_000_000
"""Files or matches where no limit is given."""
_SETTINGS: dict[str, Any] = {
    "no_args_is_help": True,
    "add_completion": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}

file = typer.Typer(**_SETTINGS)
rg = typer.Typer(**_SETTINGS)

Limit = Annotated[int | None, typer.Option("--limit", help="How many at most.", min=0)]
Glob = Annotated[
    str, typer.Option("--glob", help="Only files that fit; ignored ones that do are found too.")
]


@file.callback()
def file_group() -> None:
    """Files: read, list, search by name."""


@file.command()
def read(path: Annotated[str, typer.Argument(help="A file of the project.")]) -> None:
    """Print a file as JSON: its bytes in base64, and its type."""

    async def answer(instance: "Instance") -> dict[str, Any]:
        import base64
        import mimetypes

        from ostler.project.files import resolve
        from ostler.schema.errors import BadRequest, NotFound

        found = resolve(path, instance.directory, instance.worktree)
        try:
            with open(found, "rb") as opened:
                content = base64.b64encode(opened.read()).decode()
        except FileNotFoundError:
            raise NotFound(f"No such file: {path}") from None
        except IsADirectoryError:
            raise BadRequest(f"Not a file: {path}") from None
        kind = mimetypes.guess_type(found)[0] or "application/octet-stream"
        return {"content": content, "encoding": "base64", "mime": kind}

    _print(_answered(answer))


@file.command("list")
def list_folder(path: Annotated[str, typer.Argument(help="A folder of the project.")]) -> None:
    """Print a folder's entries as JSON, folders first."""

    async def answer(instance: "Instance") -> list[dict[str, str]]:
        from ostler.project import files

        nodes = files.list_folder(path, instance.directory, instance.worktree)
        return [{"path": node.path, "type": node.type} for node in nodes]

    _print(_answered(answer))


@file.command()
def search(query: Annotated[str, typer.Argument(help="Some characters of a path.")]) -> None:
    """Print the paths that fit, the best first."""

    async def answer(instance: "Instance") -> list[str]:
        from ostler.project import files

        return await files.find(query, instance.directory, FOUND)

    _print_lines(_answered(answer))


@rg.callback()
def rg_group() -> None:
    """Searching with ripgrep, or its stand-in where there is none."""


@rg.command("files")
def list_files(
    query: Annotated[str, typer.Option("--query", help="Some characters of a path.")] = "",
    glob: Glob = "*",
    limit: Limit = None,
) -> None:
    """Print the paths of files."""

    async def answer(instance: "Instance") -> list[str]:
        from ostler.project import fuzzy
        from ostler.project.search import find_files

        most = MOST if limit is None else limit
        if not query:
            found = await find_files(instance.directory, glob, limit=most, hidden=True)
            return found[:most]
        found = await find_files(instance.directory, glob, limit=MOST, hidden=True)
        return fuzzy.best(query, found, most)

    _print_lines(_answered(answer))


@rg.command("search")
def search_text(
    pattern: Annotated[str, typer.Argument(help="A regular expression.")],
    glob: Annotated[str | None, typer.Option("--glob", help="Only files that fit.")] = None,
    limit: Limit = None,
) -> None:
    """Print the lines that match, as JSON with their places."""

    async def answer(instance: "Instance") -> list[dict[str, Any]]:
        import msgspec

        from ostler.project import search

        most = MOST if limit is None else limit
        found = await search.search_text(instance.directory, pattern, limit=most, include=glob)
        return [
            {
                "entry": {"path": match.path, "type": "file"},
                "line": match.line_number,
                "offset": match.absolute_offset,
                "text": match.line,
                "submatches": msgspec.to_builtins(match.submatches),
            }
            for match in found[:most]
        ]

    _print(_answered(answer))


def _answered(answer: Any) -> Any:
    """What a coroutine finds out about the current directory; its errors are reported."""
    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def run() -> Any:
        async with opened() as (_, instance):
            return await answer(instance)

    with reported():
        return asyncio_run(run())


def _print(value: Any) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        print(line)
