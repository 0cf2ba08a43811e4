"""A control plane over a server with a scripted model."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from ostler.control.plan import Plan
from ostler.control.plane import ControlPlane, database_url
from ostler.control.store import OVER, Attempt, Run, StageRecord
from tests.support.model_server import Script
from tests.support.product import Ostler, serving

DEADLINE = 60.0


class Flows:
    """``run`` carries a plan out to its end."""

    def __init__(self, plane: ControlPlane, directory: str, url: str) -> None:
        self.plane, self.directory, self.url = plane, directory, url

    async def add(self, inputs: Mapping[str, Any] | None = None, **plan: Any) -> Run:
        wanted = msgspec.convert({"name": "test", **plan}, Plan)
        return await self.plane.add(wanted, dict(inputs or {}), self.directory, [self.url], False)

    async def start(self, inputs: Mapping[str, Any] | None = None, **plan: Any) -> Run:
        run = await self.add(inputs, **plan)
        await self.plane.start(run)
        return run

    async def over(self, run: Run) -> Run:
        async with asyncio.timeout(DEADLINE):
            while True:
                found = self.plane.store.run(run.id)
                if found.status in OVER and found.ended is not None:
                    return found
                await asyncio.sleep(0.02)

    async def run(self, inputs: Mapping[str, Any] | None = None, **plan: Any) -> Run:
        return await self.over(await self.start(inputs, **plan))

    def attempts(self, run: Run) -> list[Attempt]:
        return self.plane.store.attempts(run.id)

    def stages(self, run: Run) -> dict[str, StageRecord]:
        return self.plane.store.stages(run.id)

    def kinds(self, run: Run) -> list[str]:
        """How each attempt ended."""
        return [a.failure["kind"] if a.failure else a.status for a in self.attempts(run)]


@asynccontextmanager
async def flowing(
    tmp_path: Path, directory: str, url: str, database: str = "", **options: Any
) -> AsyncIterator[Flows]:
    data = tmp_path / "control"
    data.mkdir(exist_ok=True)
    plane = ControlPlane(database_url(str(data), database), str(data), dict(os.environ), **options)
    async with plane:
        yield Flows(plane, directory, url)


@asynccontextmanager
async def working(
    tmp_path: Path, script: Script = (), **options: Any
) -> AsyncIterator[tuple[Flows, Ostler]]:
    """A control plane, and the server that it drives."""
    async with serving(tmp_path, script, titles=False, **options) as ostler:
        root = str(ostler.root)
        async with flowing(tmp_path, root, str(ostler.http.base_url)) as flows:
            yield flows, ostler


def stage(prompt: str = "Do it", **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, **more}


def asked(ostler: Ostler) -> list[str]:
    """The last user text of each request the model got."""
    found: Sequence[Any] = ostler.model.requests
    return [json.dumps(r["messages"][-1]["content"]) for r in found]
