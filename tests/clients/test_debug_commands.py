"""``debug`` of the original and of Ostler, asked the same."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_clients import needs
from tests.support.command import Place, kill
from tests.support.original import BINARY, VARIABLES, is_here
from tests.support.product import DEADLINE, environment

pytestmark = needs(is_here())

FILES = {
    "a.txt": "hello\nworld needle\n",
    "sub/b.py": "needle\n",
    ".hidden/c.md": "a needle here\n",
    ".gitignore": "ignored/\n",
    "ignored/z.txt": "needle\n",
}


async def original(place: Place, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(str(BINARY), *arguments),
        cwd=place.root,
        env={**environment(place.home), **VARIABLES},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(DEADLINE * 2):
            out, err = await process.communicate()
    finally:
        kill(process)
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("file", "read", "a.txt"),
        ("file", "list", "."),
        ("file", "list", "sub"),
        ("rg", "files"),
        ("rg", "files", "--glob", "*.py"),
        ("rg", "search", "need(le)"),
        ("rg", "search", "absent"),
    ],
    ids=" ".join,
)
async def test_they_say_the_same(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Files in any order: it is ripgrep's, which works in several threads."""
    place = Place(tmp_path, FILES)
    theirs = await original(place, "debug", *arguments)
    ours = await place.ostler("debug", *arguments)
    assert ours.code == 0, ours.err
    assert in_order(arguments, ours.out) == in_order(arguments, theirs)


def in_order(arguments: tuple[str, ...], out: str) -> Any:
    if arguments[:2] == ("rg", "files"):
        return sorted(out.split())
    found = json.loads(out)
    return sorted(found, key=str) if arguments[0] == "rg" else found


async def test_a_snapshot_has_the_same_hash_and_diff(tmp_path: Path) -> None:
    place = Place(tmp_path, {k: v for k, v in FILES.items() if "ignore" not in k})
    (theirs,) = (await original(place, "debug", "snapshot", "track")).split()
    assert (await place.ostler("debug", "snapshot", "track")).out == f"{theirs}\n"
    (place.root / "a.txt").write_text("hello\n")
    (place.root / "new.txt").write_text("new\n")
    wanted = await original(place, "debug", "snapshot", "diff", theirs)
    ours = await place.ostler("debug", "snapshot", "diff", theirs)
    assert ours.out.rstrip() == wanted.rstrip()
