"""Ending work early, for good: an abort reaches the stream, every tool, and every subagent."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ostler.schema.errors import TurnError, aborted_error

TOOL_GRACE = 0.25
"""Seconds a tool gets to return what it has once its turn is aborted."""

T = TypeVar("T")


class Aborted(TurnError):
    """The turn was aborted."""

    def __init__(self) -> None:
        super().__init__(aborted_error())


async def unless_aborted(work: Coroutine[Any, Any, T], aborted: asyncio.Event) -> T:
    """The work's result. Raises Aborted, having cancelled the work, once ``aborted`` is set."""
    if aborted.is_set():
        work.close()
        raise Aborted
    task = asyncio.ensure_future(work)
    signal = asyncio.ensure_future(aborted.wait())
    try:
        await asyncio.wait((task, signal), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Aborted
    finally:
        signal.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
