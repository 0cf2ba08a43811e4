"""Telling others how a run goes: a POST to each of a plan's ``notify`` URLs when it waits for a
person and when it is over."""

import asyncio
import logging
from collections.abc import Sequence

from ostler.schema.base import JsonObject

log = logging.getLogger(__name__)

SECONDS = 10.0
TRIES = 3
PAUSE = 1.0


async def tell(urls: Sequence[str], told: JsonObject) -> None:
    """Each gets the JSON, three tries long; one that cannot be reached is said in the log, and
    holds nothing up."""
    if urls:
        await asyncio.gather(*(_tell(url, told) for url in urls))


async def _tell(url: str, told: JsonObject) -> None:
    import httpx

    problem = ""
    async with httpx.AsyncClient(timeout=SECONDS) as client:
        for number in range(TRIES):
            try:
                answer = await client.post(url, json=told)
                if answer.status_code < 500:
                    return
                problem = f"it answered {answer.status_code}"
            except (httpx.HTTPError, httpx.InvalidURL) as e:
                problem = str(e) or type(e).__name__
            await asyncio.sleep(PAUSE * number)
    log.warning("%s could not be told of %s: %s", url, told.get("run"), problem)
