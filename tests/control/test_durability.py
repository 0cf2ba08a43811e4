"""The control plane killed at any moment: what was begun is gone on with, nothing is done twice."""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from ostler.control.plane import database_url
from ostler.control.store import ControlStore
from tests.support.flows import stage
from tests.support.model_server import Reply, delta, event
from tests.support.product import Ostler, serving

ROOT = Path(__file__).parents[2]
PLAN = {
    "name": "three",
    "stages": {
        "one": stage("Say stage-one"),
        "two": stage("Say stage-two after {{ artifacts.one.text }}", needs=["one"]),
        "three": stage("Say stage-three", needs=["two"], checks=[{"run": "sleep 0.1"}]),
    },
}


def slow(said: str) -> Reply:
    """An answer that takes a third of a second."""
    return Reply([0.15, delta({"content": said}), 0.15, delta({}, "stop"), event("[DONE]")])


class Plane:
    """A control plane in a process of its own."""

    def __init__(self, tmp_path: Path, ostler: Ostler) -> None:
        self._data = tmp_path / "control"
        self._arguments = [str(self._data), str(ostler.root), str(ostler.http.base_url)]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def store(self) -> ControlStore:
        return ControlStore(database_url(str(self._data), None))

    async def start(self, plan: str = "") -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.flow_process",
            *self._arguments,
            *([plan] if plan else []),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert (await self._process.stdout.readline()).strip() == b"up"

    async def kill(self, after: float) -> bool:
        """Whether it still ran then."""
        assert self._process is not None
        try:
            await asyncio.wait_for(self._process.wait(), after)
        except TimeoutError:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
            return True
        return False

    async def __aenter__(self) -> "Plane":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ended(self) -> None:
        assert self._process is not None
        await asyncio.wait_for(self._process.wait(), 60)


@pytest.mark.parametrize("seed", range(5))
async def test_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    script = [slow(f"said {n}") for n in range(3)]
    async with (
        serving(tmp_path, script, titles=False) as ostler,
        Plane(tmp_path, ostler) as plane,
    ):
        await plane.start(json.dumps(PLAN))
        kills = 0
        while kills < 4 and await plane.kill(moments.uniform(0.0, 0.9)):
            kills += 1
            await plane.start()
        await plane.ended()
        (run,) = plane.store.runs()
        assert run.status == "passed", run
        prompts = [r["messages"][-1]["content"] for r in ostler.model.requests]
        assert Counter(str(p).split("stage-")[1].split()[0].strip("'}]") for p in prompts) == {
            "one": 1,
            "two": 1,
            "three": 1,
        }
        attempts = plane.store.attempts(run.id)
        assert [(a.stage, a.number, a.status) for a in attempts] == [
            ("one", 1, "passed"),
            ("two", 1, "passed"),
            ("three", 1, "passed"),
        ]
        sessions = {s["id"] for s in await ostler.get("/session")}
        assert {a.session for a in attempts} == sessions
