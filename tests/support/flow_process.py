"""A control plane in a process of its own, to be killed: DATA DIRECTORY URL [PLAN].

With a plan (JSON) it begins that run, without one it goes on with the newest.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from ostler.control.plan import Plan
from ostler.control.plane import ControlPlane, database_url
from ostler.control.store import OVER


async def main(data: str, directory: str, url: str, plan: str | None) -> None:
    async with ControlPlane(database_url(data, None), data, dict(os.environ)) as plane:
        if plan is not None:
            wanted = msgspec.json.decode(plan, type=Plan)
            run = await plane.add(wanted, {}, directory, [url], False)
            await plane.start(run)
        else:
            run = plane.store.runs()[0]
            if run.ended is None:
                await plane.take_over()
        print("up", flush=True)
        while True:
            found = plane.store.run(run.id)
            if found.status in OVER and found.ended is not None:
                print(found.status, flush=True)
                return
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    _, data, directory, url, *plan = sys.argv
    Path(data).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(data, directory, url, plan[0] if plan else None))
