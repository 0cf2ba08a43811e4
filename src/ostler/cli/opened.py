"""A directory's instance, for commands that look at it and end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostler.engine.instance import Instance
    from ostler.runtime import Runtime


@asynccontextmanager
async def opened() -> AsyncIterator[tuple["Runtime", "Instance"]]:
    """Of the current directory. Raises ConfigError."""
    from ostler.runtime import Runtime
    from ostler.server.inside import inside_app

    runtime = Runtime(inside=inside_app)
    try:
        yield runtime, await runtime.instance()
    finally:
        await runtime.close()
