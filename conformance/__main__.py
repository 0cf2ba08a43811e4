"""``python -m conformance record|check [NAME …]``: transcripts of the original, and how Ostler's
differ from them.

``record`` needs the original's executable in OPENCODE_BINARY (npm's ``opencode-ai`` has it in its
platform package); ``check`` needs nothing but this repository. ``check --url URL`` asks a server
that runs already on this machine, ``--program COMMAND`` another program that has a ``serve``.
"""

import argparse
import asyncio
import json
import os
import shlex
import sys
from difflib import SequenceMatcher
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx

from conformance.play import Program, Running, play

HERE = Path(__file__).parent
SOURCES = str(HERE.parent / "src")
ORIGINAL = {
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
}

OSTLER = Program([sys.executable, "-m", "ostler"], {"PYTHONPATH": SOURCES})

Difference = tuple[str, Any, Any]
"""Where (a path of keys and indexes), the original's value, Ostler's. ABSENT for none."""
ABSENT = "<absent>"


def main() -> None:
    parser = argparse.ArgumentParser(prog="conformance")
    parser.add_argument("what", choices=["record", "check"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--url", help="check this server")
    parser.add_argument("--program", help="check this program")
    options = parser.parse_args()
    chosen = [s for s in scenarios() if not options.names or s["name"] in options.names]
    if options.what == "record":
        sys.exit(asyncio.run(record(chosen)))
    target: Program | Running = OSTLER
    if options.url:
        target = Running(options.url)
    elif options.program:
        target = Program(shlex.split(options.program), ORIGINAL)
    sys.exit(asyncio.run(check(chosen, target)))


def scenarios() -> list[dict[str, Any]]:
    files = sorted((HERE / "scenarios").glob("*.json"))
    return [scenario for file in files for scenario in json.loads(file.read_text())]


def transcript_of(name: str) -> Path:
    return HERE / "transcripts" / f"{name}.json"


async def record(chosen: list[dict[str, Any]]) -> int:
    binary = os.environ.get("OPENCODE_BINARY")
    if not binary:
        print("OPENCODE_BINARY must name the original's executable", file=sys.stderr)
        return 2
    failed = 0
    for scenario in chosen:
        try:
            transcript = await play(scenario, Program([binary], ORIGINAL))
        except (TimeoutError, httpx.HTTPError, LookupError) as e:
            print("failed  ", scenario["name"], repr(e), flush=True)
            failed += 1
            continue
        text = json.dumps(transcript, indent=1, ensure_ascii=False)
        transcript_of(scenario["name"]).write_text(text + "\n")
        print("recorded", scenario["name"], flush=True)
    return 1 if failed else 0


async def check(chosen: list[dict[str, Any]], target: Program | Running) -> int:
    failed = 0
    for scenario in chosen:
        found = await differences(scenario, target)
        print("differs" if found else "alike  ", scenario["name"], flush=True)
        for where, theirs, ours in found:
            print(f"    {where}\n      original {_short(theirs)}\n      ostler   {_short(ours)}")
        failed += bool(found)
    return 1 if failed else 0


async def differences(
    scenario: dict[str, Any], target: Program | Running | None = None
) -> list[Difference]:
    """What differs from the recorded transcript, but for what ``differences.json`` lists. Raises
    AssertionError for what OpenCode's API document does not allow."""
    ours = await play(scenario, target or OSTLER, judged=target in (None, OSTLER))
    theirs = json.loads(transcript_of(scenario["name"]).read_text())
    listed = json.loads((HERE / "differences.json").read_text())
    allowed = [*listed["*"], *listed.get(scenario["name"], ())]
    return [d for d in compare(theirs, ours) if not any(fnmatch(d[0], p) for p in allowed)]


def compare(theirs: Any, ours: Any, at: str = "") -> list[Difference]:
    if at == "/events":
        return compare_events(theirs, ours)
    if isinstance(theirs, dict) and isinstance(ours, dict):
        keys = [*theirs, *(k for k in ours if k not in theirs)]
        pairs = [(k, theirs.get(k, ABSENT), ours.get(k, ABSENT)) for k in keys]
    elif isinstance(theirs, list) and isinstance(ours, list):
        longest = range(max(len(theirs), len(ours)))
        pairs = [(str(i), _at(theirs, i), _at(ours, i)) for i in longest]
    else:
        return [] if theirs == ours else [(at, theirs, ours)]
    return [d for key, t, o in pairs for d in compare(t, o, f"{at}/{key}")]


def compare_events(theirs: list[str], ours: list[str]) -> list[Difference]:
    """``/events/-line``: the original alone says it there; ``/events/+line``: Ostler alone."""
    found: list[Difference] = []
    for tag, a, b, c, d in SequenceMatcher(a=theirs, b=ours, autojunk=False).get_opcodes():
        if tag != "equal":
            found += [(f"/events/-{line}", line, ABSENT) for line in theirs[a:b]]
            found += [(f"/events/+{line}", ABSENT, line) for line in ours[c:d]]
    return found


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else ABSENT


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:300]


if __name__ == "__main__":
    main()
