"""What the commands of ``ostler flow`` share: options, the control plane, how a run is shown."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.control.plane import ControlPlane
    from ostler.control.store import ControlStore, Run

FAILED, ESCALATED, STOPPED = 20, 21, 22
EXITS = {"passed": 0, "failed": FAILED, "escalated": ESCALATED}

Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="OSTLER_DATABASE",
        help="PostgreSQL's URL, for many workers; else a file in the data folder.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
File = Annotated[Path, typer.Argument(help="The flow file (YAML).", dir_okay=False)]
Inputs = Annotated[list[str] | None, typer.Option("--input", "-i", help="An input, as name=value.")]
Servers = Annotated[
    list[str] | None,
    typer.Option("--server", "-s", envvar="OPENCODE_API_URL", help="A server's URL."),
]
Directory = Annotated[str, typer.Option("--dir", help="Where to work.")]
Tenant = Annotated[
    str, typer.Option("--tenant", envvar="OSTLER_TENANT", help="For whom it is; see flow quota.")
]
RunId = Annotated[str, typer.Argument(help="The run's id, or how it begins.")]


@contextmanager
def reported() -> Iterator[None]:
    """Errors as elsewhere; a caller's mistakes are told apart from what went wrong."""
    from ostler.cli.failures import PROVIDER, USAGE, Stop, reported
    from ostler.client import ClientError
    from ostler.control.preflight import PreflightError
    from ostler.control.problems import PlanError
    from ostler.control.store import ControlError, UnknownRun

    with reported():
        try:
            yield
        except (PlanError, PreflightError, ControlError, UnknownRun) as e:
            raise Stop(str(e), USAGE) from None
        except ClientError as e:
            raise Stop(str(e), PROVIDER) from None


def named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise usage(f"--input {text}: expected name=value")
    return name, value


def usage(message: str) -> Exception:
    from ostler.cli.failures import USAGE, Stop

    return Stop(message, USAGE)


def _data() -> str:
    from ostler.config.paths import default_paths

    paths = default_paths()
    paths.ensure()
    return paths.data


def store_of(database: str) -> "ControlStore":
    from ostler.control.plane import database_url
    from ostler.control.store import ControlStore

    return ControlStore(database_url(_data(), database))


def plane_of(database: str, concurrency: int = 0, takes_over: bool = False) -> "ControlPlane":
    from ostler.control.plane import ControlPlane, database_url

    data = _data()
    return ControlPlane(database_url(data, database), data, os.environ, concurrency, takes_over)


async def follow(plane: "ControlPlane", run_id: str, json: bool) -> int:
    """Show how a run goes until it is over; its exit code."""
    from ostler.cli.flow_view import follow

    done = await follow(plane.store, run_id, quiet=json)
    if json:
        print_json(whole_of(plane.store, done))
    return EXITS.get(done.status, STOPPED)


def whole_of(store: "ControlStore", found: "Run") -> dict[str, Any]:
    from ostler.control.kept import whole

    return whole(store, found)


def print_json(value: Any) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_run(store: "ControlStore", found: "Run") -> None:
    from ostler.cli.flow_view import lines

    print("\n".join(lines(store, found)))


def ago(when: float) -> str:
    import time

    seconds = time.time() - when
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


async def check_plan(
    plane: "ControlPlane", plan: Any, servers: list[str], directory: str, attended: bool
) -> None:
    """Raises PreflightError for a run that would get stuck, before anything is spent."""
    from ostler.control.preflight import check_run

    await check_run(plane.context.pool, plan, servers, directory, attended)
