"""What old runs leave behind, removed: worktrees, and their records where that is asked for."""

import asyncio
import os
import shutil
import time

import msgspec

from ostler.control.checks import git
from ostler.control.store import OVER, ControlStore, Run

DAYS = 14.0
"""How long the worktrees of a run that is over are kept. What passed is on a branch; of what
failed the difference is on record."""


class Removed(msgspec.Struct, frozen=True):
    worktrees: int = 0
    runs: list[str] = []


async def clean(store: ControlStore, root: str, days: float, records: bool) -> Removed:
    """Of runs that have been over for so many days. ``root`` is the folder of worktrees. With
    ``records`` the runs themselves too; needs a started control plane then."""
    limit = time.time() - days * 86_400
    old = await asyncio.to_thread(store.runs_over, limit)
    count = 0
    for run in old:
        count += await _remove_worktrees(store, root, run)
    if records and old:
        from dbos import DBOS

        begun = [f"{run.id}.{number}" for run in old for number in range(run.generation + 1)]
        await DBOS.delete_workflows_async(begun, delete_children=True)
        await asyncio.to_thread(store.remove_runs, [run.id for run in old])
    return Removed(count, [run.id for run in old] if records else [])


async def _remove_worktrees(store: ControlStore, root: str, run: Run) -> int:
    assert run.status in OVER
    count = 0
    for attempt in await asyncio.to_thread(store.attempts, run.id):
        place = os.path.join(root, attempt.title)
        if attempt.branch is None or attempt.directory != place or not os.path.isdir(place):
            continue
        if await git(run.directory, "worktree", "remove", "--force", "--force", place) is None:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
            await git(run.directory, "worktree", "prune")
        count += not os.path.isdir(place)
    return count
