"""The snapshots of one turn: as few as tell the truth.

A step begins with a snapshot, taken while the model thinks. A step that called no tool that could
have changed a file ends with the snapshot it began with, and the next step of the turn begins with
the one the last ended with.
"""

import asyncio

from ostler.engine.instance import Snapshots


class TurnSnapshots:
    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._latest: str | None = None
        self._beginning: asyncio.Task[str | None] | None = None
        self.first: str | None = None

    def begin(self) -> "asyncio.Future[str | None]":
        """The hash a step begins with, as something to await (more than once)."""
        loop = asyncio.get_running_loop()
        if self._latest is not None:
            known: asyncio.Future[str | None] = loop.create_future()
            known.set_result(self._latest)
            return known
        if self._beginning is None:
            self._beginning = loop.create_task(self._track())
        return self._beginning

    async def end(self, may_have_changed: bool) -> str | None:
        """The hash a step ends with."""
        if self._beginning is not None:
            await self._beginning
            self._beginning = None
        if may_have_changed:
            self._latest = await self._snapshots.track()
        return self._latest

    async def changed(self, since: str) -> list[str]:
        """Absolute paths of the files that changed between ``since`` and the latest snapshot."""
        if self._latest is None or self._latest == since:
            return []
        return await self._snapshots.changed(since, self._latest)

    async def close(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.wait((self._beginning,))

    async def _track(self) -> str | None:
        self._latest = await self._snapshots.track()
        self.first = self.first or self._latest
        return self._latest
