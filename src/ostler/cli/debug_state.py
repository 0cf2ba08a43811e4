"""``ostler debug snapshot``, ``scrap`` and ``startup``: what is kept, and how long it takes."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from ostler.engine.instance import Snapshots

T = TypeVar("T")

snapshot = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Hash = Annotated[str, typer.Argument(help="What `debug snapshot track` printed.")]


@snapshot.callback()
def snapshot_group() -> None:
    """Snapshots of the project's files."""


@snapshot.command()
def track() -> None:
    """Record the files as they are now, and print the snapshot's hash."""

    async def taken(snapshots: "Snapshots") -> str:
        from ostler.cli.failures import UNEXPECTED, Stop

        found = await snapshots.track()
        if found is None:
            raise Stop("No snapshot: not under version control, or `snapshot` is off", UNEXPECTED)
        return found

    print(_of_snapshots(taken))


@snapshot.command()
def patch(since: Hash) -> None:
    """Print as JSON which files have changed since a snapshot."""

    async def changed(snapshots: "Snapshots") -> list[str]:
        return await snapshots.changed(since)

    _print({"hash": since, "files": _of_snapshots(changed)})


@snapshot.command()
def diff(since: Hash) -> None:
    """Print what has changed since a snapshot."""

    async def changed(snapshots: "Snapshots") -> str:
        return await snapshots.patch(since)

    text = _of_snapshots(changed)
    if text:
        print(text)


def scrap() -> None:
    """Print the projects that are known, as JSON."""
    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def known() -> list[Any]:
        async with opened() as (runtime, _):
            return list(runtime.store.projects.all())

    with reported():
        _print(asyncio_run(known()))


def startup() -> None:
    """Print the milliseconds from the program's start until a directory is ready for work."""
    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def ready() -> float:
        async with opened():
            return _since_start()

    with reported():
        print(f"{asyncio_run(ready()) * 1000:.0f}")


def _since_start() -> float:
    """Seconds; where the system does not say when the program began, those of its own work."""
    import os

    try:
        with open("/proc/self/stat", encoding="utf-8") as stat:
            began = int(stat.read().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return time.process_time()


def _of_snapshots(ask: Callable[["Snapshots"], Awaitable[T]]) -> T:
    from ostler.cli.failures import USAGE, Stop, reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run
    from ostler.project.snapshot import SnapshotFailed

    async def run() -> T:
        async with opened() as (_, instance):
            try:
                return await ask(instance.snapshots)
            except SnapshotFailed as e:
                raise Stop(f"There is no such snapshot here: {e}", USAGE) from None

    with reported():
        return asyncio_run(run())
    raise AssertionError  # ``reported`` ends the program


def _print(value: Any) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
