"""Waiting for a place where quotas say how many attempts may go on."""

import asyncio
import logging
import random

from ostler.control.briefing import Briefing
from ostler.control.context import current
from ostler.control.failures import Failure
from ostler.control.quotas import LOOK_SECONDS, NAMELESS, Full, Quotas, Scope
from ostler.control.store import RUNNING, Attempt

log = logging.getLogger(__name__)

SPARE_SECONDS = 300.0
"""Added to what an attempt and its checks may take, until its place counts as free again although
nobody gave it back."""


async def admit(now: Briefing, attempt: Attempt) -> Failure | None:
    """Wait until there is a place for the attempt, on one of the run's servers; its server and the
    moment it begins are noted on it. Who waits is shown as queued. A failure where the run ends
    meanwhile, or has spent all it may."""
    context = current()
    held = Quotas(context.store)
    checks = sum(check.timeout * (check.repeat + 1) for check in now.stage.checks)
    seconds = now.stage.timeout + checks + SPARE_SECONDS
    while True:
        failure = now.exhausted()
        if failure is not None:
            return failure
        full: Full | None = None
        for server in context.pool.ranked([attempt.server] if attempt.server else now.run.servers):
            wanted = _wanted(now, attempt, server.url)
            taken = await asyncio.to_thread(held.take, attempt.title, wanted, seconds)
            if isinstance(taken, bool):
                attempt.server, attempt.has_place, attempt.held_by = server.url, taken, None
                return None
            full = taken
        assert full is not None  # a run has a server
        if attempt.held_by != str(full.quota):
            log.info("%s waits for a place: %s", attempt.title, full.quota)
            attempt.status, attempt.held_by = "queued", str(full.quota)
            await asyncio.to_thread(context.store.save_attempt, attempt)
        await asyncio.sleep(min(full.seconds, LOOK_SECONDS) * random.uniform(0.5, 1))
        if not await asyncio.to_thread(_is_wanted, attempt):
            return Failure("aborted", "it was not needed any more while it waited for a place")


def _wanted(now: Briefing, attempt: Attempt, server: str) -> dict[Scope, str]:
    provider = (attempt.model or "").partition("/")[0]
    return {
        "server": server,
        "provider": provider or NAMELESS,
        "tenant": now.run.tenant or NAMELESS,
    }


def _is_wanted(attempt: Attempt) -> bool:
    """Whether the run goes on, and the stage has not passed without this attempt."""
    run, records = current().store.picture(attempt.run)
    return run.status in RUNNING and records[attempt.stage].status == "running"
