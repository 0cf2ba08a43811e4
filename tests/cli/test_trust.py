"""``ostler trust``: which projects may run programs of their own."""

import asyncio
import json
import sys
from pathlib import Path

from ptyprocess import PtyProcess

from tests.support.command import SOURCES, Place
from tests.support.product import environment


async def test_trusting_a_project(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.root / "inner").mkdir()
    done = await place.ostler("trust", "inner")
    assert (done.code, done.out) == (0, f"Trusted: {place.root}\n")  # the whole checkout
    assert (await place.ostler("trust", "--list")).out == f"{place.root}\n"
    kept = place.home / ".local/state/ostler/trust.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (await place.ostler("trust", "--remove")).code == 0
    assert (await place.ostler("trust", "--list")).out == ""
    again = await place.ostler("trust", "--remove")
    assert again.code == 2
    assert "not in the list" in again.err


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = await Place(tmp_path).ostler("trust", "nowhere")
    assert done.code == 2
    assert "There is no folder nowhere" in done.err


async def test_a_trusted_folder_covers_what_is_in_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.ostler("trust", str(tmp_path))
    done = await place.ostler("trust", "--remove")
    assert f"covered by {tmp_path}" in done.err


OWN_TOOL = 'def own() -> str:\n    "Own."\n    return "x"\n'


def at_a_terminal(place: Place, answer: str | None, *arguments: str) -> str:
    """What a person at a terminal sees of a command, and answers when asked."""
    process = PtyProcess.spawn(
        [sys.executable, "-m", "ostler", *arguments],
        cwd=str(place.root),
        env={**environment(place.home), "PYTHONPATH": SOURCES},
    )
    seen = ""
    while True:
        try:
            seen += process.read(4096).decode("utf-8", "replace")
        except EOFError:
            process.wait()
            return seen
        if answer is not None and "(yes or no)" in seen:
            process.write(f"{answer}\n".encode())
            answer = None


async def test_a_person_is_asked_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    folder = place.root / ".opencode/tool"
    folder.mkdir(parents=True)
    (folder / "own.py").write_text(OWN_TOOL)
    (place.root / "opencode.json").write_text(
        json.dumps({"command": {"say": {"template": "!`date`"}}})
    )
    piped = await place.ostler("run", "hi")
    assert "held back until you run `ostler trust`: " in piped.err
    assert "the tool file .opencode/tool/own.py" in piped.err
    assert "the shell lines of /say" in piped.err
    refused = await asyncio.to_thread(at_a_terminal, place, "no", "run", "hi")
    assert "brings code of its own" in refused
    again = await asyncio.to_thread(at_a_terminal, place, None, "run", "hi")
    assert "(yes or no)" not in again
    assert "held back" in again
    assert '"own"' not in (await place.ostler("debug", "agent", "build")).out


async def test_a_person_who_says_yes(tmp_path: Path) -> None:
    place = Place(tmp_path)
    folder = place.root / ".opencode/tool"
    folder.mkdir(parents=True)
    (folder / "own.py").write_text(OWN_TOOL)
    seen = await asyncio.to_thread(at_a_terminal, place, "yes", "run", "hi")
    assert "I did not understand" in seen
    assert "held back" not in seen
    assert '"own"' in (await place.ostler("debug", "agent", "build")).out
    assert (await place.ostler("trust", "--list")).out == f"{place.root}\n"
