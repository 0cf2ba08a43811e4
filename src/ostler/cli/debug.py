"""``ostler debug``: what Ostler makes of this place."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostler.cli import debug_agent, debug_files, debug_lsp, debug_state

if TYPE_CHECKING:
    from ostler.config.load import LoadedConfig

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(debug_lsp.app, name="lsp")

_SECRET = re.compile(r"key|secret|token|password|authorization|credential", re.IGNORECASE)
_SECRET_TABLES = frozenset(("headers", "environment"))
MASK = "***"


@app.callback()
def debug() -> None:
    """What Ostler makes of this place."""


app.command()(debug_agent.agent)
app.command()(debug_state.scrap)
app.command()(debug_state.startup)
app.add_typer(debug_state.snapshot, name="snapshot")
app.add_typer(debug_files.file, name="file")
app.add_typer(debug_files.rg, name="rg")


@app.command()
def config(
    sources: Annotated[
        bool, typer.Option("--sources", help="One value a line, with where it comes from.")
    ] = False,
) -> None:
    """Print the merged configuration, secrets masked."""
    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def loaded() -> "LoadedConfig":
        async with opened() as (_, instance):
            return instance.loaded

    with reported():
        found = asyncio_run(loaded())
        if not sources:
            _print(masked(found.raw))
            return
        for path, value in _leaves(masked(found.raw)):
            name = ".".join(str(step) for step in path)
            print(f"{name} = {_json(value)}  ({_origin(found, path)})")
        for warning in found.warnings:
            print(f"warning: {warning}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of opencode.json."""
    from ostler.config.json_schema import config_schema

    _print(config_schema())


@app.command()
def paths() -> None:
    """Print the folders that are used."""
    from ostler.config.paths import default_paths

    found = default_paths()
    for name in ("home", "data", "cache", "config", "state", "tmp", "database"):
        print(f"{name:<10} {getattr(found, name)}")


@app.command()
def skill() -> None:
    """Print the skills that were found, and where."""
    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def skills() -> list[dict[str, Any]]:
        async with opened() as (_, instance):
            return [
                {"name": s.name, "description": s.description, "location": s.location}
                for s in instance.skills
            ]

    with reported():
        _print(asyncio_run(skills()))


@app.command()
def info() -> None:
    """Print what to say in a report of a problem."""
    import platform
    import sys

    from ostler import __version__

    print(f"ostler version: {__version__}")
    print(f"os: {platform.system()} {platform.release()} {platform.machine()}")
    print(f"python: {sys.version.split()[0]} ({sys.implementation.name})")


def masked(value: Any, name: str = "") -> Any:
    """A configuration without what may be a secret."""
    if isinstance(value, dict):
        hidden = name in _SECRET_TABLES
        return {
            key: MASK if hidden and isinstance(each, str) else masked(each, key)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [masked(each) for each in value]
    return MASK if isinstance(value, str) and _SECRET.search(name) else value


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, each in value.items() for leaf in _leaves(each, (*path, key))]
    return [(path, value)]


def _origin(found: "LoadedConfig", path: tuple[Any, ...]) -> str:
    """The file and the line that say it last."""
    origin = found.origin(path)
    if origin is None:
        return "Ostler"
    name, place = origin
    return f"{name}:{place.line}" if place else name


def _json(value: Any) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()


def _print(value: Any) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
