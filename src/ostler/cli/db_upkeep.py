"""``ostler db size``, ``vacuum`` and ``check``: what is stored, made small, and if it is whole."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.config.paths import Paths
    from ostler.store import Store
    from ostler.upkeep.places import Place

SHOWN = 10
Json = Annotated[bool, typer.Option("--json", help="Print JSON, everything in it.")]


def size(
    as_json: Json = False,
    newest: Annotated[
        bool, typer.Option("--newest", help="Sessions by their last change, not by size.")
    ] = False,
) -> None:
    """Show what takes room on the disk: by place, project and session, and what can be freed."""
    from ostler.cli.failures import reported

    with reported():
        found = _sizes(newest)
        _print(found) if as_json else print("\n".join(_size_lines(found)))


def vacuum(as_json: Json = False) -> None:
    """Delete what is not needed, by retention too where it is configured, and give the room back.

    Safe beside a running server. A database that an older Ostler made is written anew for that; a
    large one only while no other process has it open.
    """
    from ostler.cli.failures import reported
    from ostler.cli.serve import asyncio_run

    with reported():
        found = asyncio_run(_vacuum())
        _print(found) if as_json else print("\n".join(_vacuum_lines(found)))


def check(as_json: Json = False) -> None:
    """Look whether the stored is whole. Changes nothing; ends with 1 when something is found."""
    from ostler.cli.failures import UNEXPECTED, reported
    from ostler.config.paths import default_paths
    from ostler.upkeep.check import findings

    with reported():
        paths = default_paths()
        found = findings(paths)
        if as_json:
            _print({"database": paths.database, "findings": found})
        else:
            for finding in found:
                print(f"{finding.kind}: {finding.message}")
            print(f"{len(found)} findings" if found else f"{paths.database}: nothing is wrong.")
        if found:
            sys.exit(UNEXPECTED)


# ── size ──────────────────────────────────────────────────────────────────────────────────────


def _sizes(newest: bool) -> dict[str, Any]:
    from ostler.store.sizes import project_sizes, session_sizes
    from ostler.store.space import space
    from ostler.upkeep.freeable import freeable
    from ostler.upkeep.places import places

    paths, store = _stored()
    try:
        sessions = session_sizes(store.db)
        projects = project_sizes(store.db, sessions)
        if newest:
            sessions.sort(key=lambda s: -s.updated)
        found = places(paths)
        return {
            "total": sum(place.bytes for place in found),
            "places": found,
            "freeable": freeable(paths, space(store.db)),
            "projects": projects,
            "sessions": [_named(session) for session in sessions],
        }
    finally:
        store.close()


def _named(session: Any) -> dict[str, Any]:
    return {name: getattr(session, name) for name in session.__struct_fields__}


def _size_lines(found: dict[str, Any]) -> list[str]:
    from datetime import datetime

    lines = [f"{_mb(p.bytes)}  {p.name:<17} {p.bound}" for p in found["places"] if p.bytes]
    lines += [f"{_mb(found['total'])}  in all", ""]
    lines += ["`ostler db vacuum` would free"]
    lines += [f"{_mb(size)}  of {name}" for name, size in found["freeable"].items() if size]
    if not any(found["freeable"].values()):
        lines += ["     nothing"]
    lines += ["", "Projects"]
    lines += [
        f"{_mb(p.bytes)}  {p.worktree or p.id} ({_count(p.sessions, 'session')})"
        for p in found["projects"][:SHOWN]
    ]
    lines += [*_more(found["projects"]), "", "Sessions"]
    lines += [
        f"{_mb(s['bytes'])}  {s['id']}  {datetime.fromtimestamp(s['updated'] / 1000):%Y-%m-%d}  "
        f"{s['title'][:40]}"
        for s in found["sessions"][:SHOWN]
    ]
    return [*lines, *_more(found["sessions"])]


def _more(listed: list[Any]) -> list[str]:
    left = len(listed) - SHOWN
    return [f"           and {left} more: --json lists them"] if left > 0 else []


# ── vacuum ────────────────────────────────────────────────────────────────────────────────────


async def _vacuum() -> dict[str, Any]:
    from ostler.store.space import rewrite, space, write_back
    from ostler.upkeep.places import places
    from ostler.upkeep.upkeep import Upkeep

    paths, store = _stored()
    before = places(paths)
    upkeep = Upkeep(paths, os.environ, store, slack=0)
    try:
        done = await upkeep.run()
        shrinks = space(store.db).shrinks
    finally:
        store.close()
    rewritten = rewrite(paths.database) if not shrinks else None
    write_back(paths.database)
    return {
        "before": _by_name(before),
        "after": _by_name(places(paths)),
        "sessions": upkeep.freed.sessions,
        "outputs": upkeep.freed.outputs,
        "busy": not done,
        "rewritten": rewritten,
    }


def _by_name(found: "list[Place]") -> dict[str, int]:
    return {place.name: place.bytes for place in found}


def _vacuum_lines(found: dict[str, Any]) -> list[str]:
    before, after = found["before"], found["after"]
    lines = [
        f"{_mb(before[name])} -> {_mb(after[name])}  {name}"
        for name in before
        if before[name] != after[name]
    ]
    lines += [f"{_mb(sum(before.values()))} -> {_mb(sum(after.values()))}  in all"]
    if found["sessions"] or found["outputs"]:
        sessions = _count(found["sessions"], "session")
        outputs = _count(found["outputs"], "tool output")
        lines += [f"By retention: {sessions} deleted, {outputs} cleared."]
    if found["busy"]:
        lines += ["Another process is cleaning up just now, so that was left to it."]
    if found["rewritten"] is False:
        lines += [
            "The database is one that cannot shrink yet, and too large to be written anew while"
            " another process has it open: stop that, and do this again."
        ]
    return lines


# ── both ──────────────────────────────────────────────────────────────────────────────────────


def _stored() -> "tuple[Paths, Store]":
    """Raises StoreFailure."""
    from ostler.config.paths import default_paths
    from ostler.events import Bus
    from ostler.store import Store

    paths = default_paths()
    paths.ensure()
    return paths, Store(paths.database, Bus())


def _mb(size: int) -> str:
    return f"{size / 2**20:>9,.1f} MB" if size >= 52_429 else f"{size / 1024:>9,.1f} KB"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print(value: Any) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
