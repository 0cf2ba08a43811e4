"""What the steps of a flow work with in this process: set when the control plane starts."""

import asyncio
import os
from collections.abc import Mapping

from ostler.control.pool import Pool
from ostler.control.store import ControlStore


class Context:
    """``data`` is the folder of worktrees. Close it when done."""

    def __init__(self, url: str, data: str, environment: Mapping[str, str]) -> None:
        self.store = ControlStore(url)
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        self.worktrees = os.path.join(data, "flows")
        self.environment = dict(environment)

    @property
    def pool(self) -> Pool:
        """The running event loop's: connections belong to one, and DBOS carries out what comes from
        a queue in one of its own."""
        return self._pools.setdefault(asyncio.get_running_loop(), Pool())

    async def close(self) -> None:
        """While DBOS's event loop still runs."""
        here = asyncio.get_running_loop()
        for loop, pool in self._pools.items():
            if loop is here:
                await pool.close()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(pool.close(), loop))
        self._pools.clear()


_current: Context | None = None


def current() -> Context:
    """Raises RuntimeError before ``use``."""
    if _current is None:
        raise RuntimeError("the control plane is not started")
    return _current


def use(context: Context | None) -> None:
    global _current  # DBOS has one runtime a process, whose steps are module-level functions
    _current = context
