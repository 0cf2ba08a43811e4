"""``ostler db``: the database by query, its path; what is stored, kept small and checked."""

import os
import sys
from typing import Annotated, Any

import typer
import typer.core

from ostler.cli import db_upkeep

_VALUED = ("--format",)
"""Options before the query that take a value."""


class _Group(typer.core.TyperGroup):
    """What is not the name of a command is a query."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = _first_word(args)
        if first not in self.commands and not {"-h", "--help"} & set(args):
            args = ["query", *args]
        return super().parse_args(ctx, args)


def _first_word(args: list[str]) -> str | None:
    words = iter(args)
    for word in words:
        if word in _VALUED:
            next(words, None)
        elif word == "--":
            return next(words, None)
        elif not word.startswith("-"):
            return word
    return None


app = typer.Typer(
    cls=_Group, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.callback()
def db() -> None:
    """Ask the database (`ostler db "select …"`; without a query in sqlite3), and keep it small."""


@app.command(hidden=True)
def query(
    sql: Annotated[str, typer.Argument(metavar="[QUERY]", help="One SQL statement.")] = "",
    output: Annotated[str, typer.Option("--format", help="tsv or json.")] = "tsv",
) -> None:
    """Run a statement and print its rows; without one, open the database in sqlite3."""
    from ostler.cli.failures import USAGE, Stop, reported

    with reported():
        if output not in ("tsv", "json"):
            raise Stop(f"--format: expected tsv or json, got {output!r}", USAGE)
        path = _opened()
        if not sql.strip():
            _interactive(path)
        names, rows = _answer(path, sql)
        text = _json(names, rows) if output == "json" else _tsv(names, rows)
        if text:
            sys.stdout.write(text + "\n")


@app.command()
def path() -> None:
    """Print the database's path."""
    from ostler.config.paths import default_paths

    print(default_paths().database)


app.command()(db_upkeep.size)
app.command()(db_upkeep.vacuum)
app.command()(db_upkeep.check)


def _opened() -> str:
    """The path of a database that is there and that this Ostler knows. Raises StoreFailure."""
    from ostler.config.paths import default_paths
    from ostler.events import Bus
    from ostler.store import Store

    paths = default_paths()
    paths.ensure()
    Store(paths.database, Bus()).close()
    return paths.database


def _interactive(path: str) -> None:
    """Become sqlite3. Raises Stop where there is none."""
    import shutil

    from ostler.cli.failures import UNEXPECTED, Stop

    program = shutil.which("sqlite3")
    if program is None:
        raise Stop(
            "sqlite3 is not installed, which shows the database interactively. "
            'Give a query: ostler db "select count(*) from session"',
            UNEXPECTED,
        )
    sys.stdout.flush()
    os.execv(program, ["sqlite3", path])


def _answer(path: str, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows. Raises Stop."""
    import sqlite3

    from ostler.cli.failures import UNEXPECTED, Stop

    connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
    try:
        cursor = connection.execute(sql)
        return [column[0] for column in cursor.description or ()], cursor.fetchall()
    except (sqlite3.Error, sqlite3.Warning) as e:
        raise Stop(f"{path}: {e}", UNEXPECTED) from None
    finally:
        connection.close()


# ── as OpenCode 1.18 prints it ────────────────────────────────────────────────────────────────


def _tsv(names: list[str], rows: list[tuple[Any, ...]]) -> str:
    """A line of names and a line for each row; nothing where there are none."""
    if not rows:
        return ""
    lines = [names, *([_text(value) for value in row] for row in rows)]
    return "\n".join("\t".join(line) for line in lines)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return ",".join(map(str, value))
    return str(_plain(value))


def _json(names: list[str], rows: list[tuple[Any, ...]]) -> str:
    import json

    found = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
    return json.dumps(found, indent=2, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {str(place): byte for place, byte in enumerate(value)}
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value
