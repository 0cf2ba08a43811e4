"""What the steps of a flow work with in this process: set when the control plane starts."""

import os
from collections.abc import Mapping

from ostler.control.pool import Pool
from ostler.control.store import ControlStore


class Context:
    """``data`` is the folder of worktrees. Close it when done."""

    def __init__(self, url: str, data: str, environment: Mapping[str, str]) -> None:
        self.store = ControlStore(url)
        self.pool = Pool()
        self.worktrees = os.path.join(data, "flows")
        self.environment = dict(environment)

    async def close(self) -> None:
        await self.pool.close()
        self.store.close()


_current: Context | None = None


def current() -> Context:
    """Raises RuntimeError before ``use``."""
    if _current is None:
        raise RuntimeError("the control plane is not started")
    return _current


def use(context: Context | None) -> None:
    global _current  # DBOS has one runtime a process, whose steps are module-level functions
    _current = context
