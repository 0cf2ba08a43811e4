"""DBOS's journal of runs that are over: what came of them is in our own tables, and nobody goes on
from it."""

import logging
from datetime import UTC, datetime, timedelta

log = logging.getLogger(__name__)

KEPT_DAYS = 30
AT_ONCE = 50
_OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


async def forget_old(now: datetime | None = None) -> int:
    """Delete the workflows that ended so long ago, with those they started; how many of the former
    it were."""
    from dbos import DBOS

    before = ((now or datetime.now(UTC)) - timedelta(days=KEPT_DAYS)).isoformat()
    forgotten = 0
    while True:
        found = await DBOS.list_workflows_async(
            status=_OVER,
            completed_before=before,
            limit=AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if not found:
            return forgotten
        ids = [each.workflow_id for each in found]
        await DBOS.delete_workflows_async(ids, delete_children=True)
        forgotten += len(ids)


async def forget_old_quietly() -> None:
    """The same where nobody waits for it."""
    try:
        await forget_old()
    except Exception as e:  # a database of many workers may refuse for many reasons
        log.warning("old journals were not deleted, which is tried again another time: %s", e)
