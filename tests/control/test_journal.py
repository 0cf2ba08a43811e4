"""What DBOS remembers of runs that are over goes after a month; the runs stay."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ostler.control.journal import KEPT_DAYS, forget_old
from tests.support.flows import stage, working
from tests.support.model_server import text


async def test_old_journals_go_and_runs_stay(tmp_path: Path) -> None:
    async with working(tmp_path, [text("done")]) as (flows, _):
        old = await flows.run(stages={"a": stage(), "b": stage(needs=["a"])})
        assert old.status == "passed"
        with sqlite3.connect(tmp_path / "control/control.sqlite") as db:
            count = "SELECT count(*) FROM workflow_status"
            assert db.execute(count).fetchone()[0] >= 1
            assert await forget_old() == 0
            later = datetime.now(UTC) + timedelta(days=KEPT_DAYS, hours=1)
            assert await forget_old(later) >= 1
            assert db.execute(count).fetchone() == (0,)
            left = db.execute("SELECT count(*) FROM operation_outputs").fetchone()
            assert left == (0,)
        db.close()
        assert [a.status for a in flows.attempts(old)] == ["passed", "passed"]
        assert flows.plane.store.run(old.id).status == "passed"
        again = await flows.run(stages={"a": stage()})
        assert again.status == "passed"
