"""Sessions of thousands of messages, made through public doors: text turns, all of them. The
original takes minutes for as many turns; it has ``import``, and gets the same messages that way."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.target import Place, Server
from bench.workloads.driven import Figures, drive

COMMAND_SECONDS = 300
SEED = 10


def long_sessions(place: Place, counts: list[int]) -> dict[int, str]:
    """Count of messages -> a session of that many; made at the first call for a place."""
    kept = place.root / "sessions.json"
    if not kept.exists():
        made = _imported(place, counts) if place.target.imports else _spoken(place, counts)
        kept.write_text(json.dumps(made))
    return {int(count): session for count, session in json.loads(kept.read_text()).items()}


def _spoken(place: Place, counts: list[int]) -> dict[int, str]:
    found: dict[int, str] = {}

    async def one(client: Client, count: int) -> None:
        found[count] = await client.session()
        for _ in range(count // 2):
            await client.prompt(found[count], "hello")

    async def speak(client: Client, _server: Server) -> Figures:
        for count in counts:  # one after the other: a program may keep what it spoke of last
            await one(client, count)
        return {}

    with Server(place) as server:
        drive(server, speak)
    return found


def _imported(place: Place, counts: list[int]) -> dict[int, str]:
    (seed,) = _spoken(place, [SEED]).values()
    exported = json.loads(_command(place, "export", seed))
    found = {}
    for count in counts:
        found[count] = f"ses_{count:026d}"
        file = place.root / f"{count}.json"
        file.write_text(json.dumps(_repeated(exported, found[count], count)))
        _command(place, "import", str(file))
    return found


def _repeated(exported: Any, session_id: str, count: int) -> Any:
    """The exported session, its first turn ``count // 2`` times; ids sort as they are numbered."""
    first = str(exported["messages"][0]["info"]["id"])
    before = min(m["info"]["time"]["created"] for m in exported["messages"]) - count
    messages: list[Any] = []
    for number in range(count):
        message = copy.deepcopy(exported["messages"][number % 2])
        info, mark = message["info"], f"{count}{number:05d}"
        info["id"], info["sessionID"] = first[: -len(mark)] + mark, session_id
        info["time"]["created"] = before + number
        if "parentID" in info:
            info["parentID"] = messages[-1]["info"]["id"]
        for part in message["parts"]:
            part["id"] = part["id"][: -len(mark)] + mark
            part["messageID"], part["sessionID"] = info["id"], session_id
        messages.append(message)
    return {"info": {**exported["info"], "id": session_id}, "messages": messages}


def _command(place: Place, *arguments: str) -> bytes:
    # a file, because the original ends before a full pipe is read
    output = Path(place.root, "output")
    with output.open("wb") as file:
        done = subprocess.run(
            [*place.target.command, *arguments],
            cwd=place.project,
            env=place.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            timeout=COMMAND_SECONDS,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {done.stderr[-300:]!r}")
    return output.read_bytes()
