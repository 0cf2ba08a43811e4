"""Showing a person a page."""

import asyncio
import os
import shutil
from collections.abc import Mapping

OPENERS = ("xdg-open", "open", "wslview")
_SECONDS = 10.0


async def open_browser(url: str, environment: Mapping[str, str]) -> bool:
    """Whether a program that opens browsers took the address."""
    name = environment.get("BROWSER") or next((o for o in OPENERS if shutil.which(o)), None)
    if name is None:
        return False
    try:
        process = await asyncio.create_subprocess_exec(
            name,
            url,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment) or dict(os.environ),
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(_SECONDS):
            return await process.wait() == 0
    except TimeoutError:
        return True  # a browser that stays in the foreground
