"""A turn asks the database for what it needs: no question reads all messages there are."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import text, tool
from tests.support.product import serving

LARGE = ("message", "part", "session", "tombstone")


async def test_a_turn_scans_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def remembering(path: str, **options: Any) -> sqlite3.Connection:
        opened.append(connect(path, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remembering)
    script = [text("one"), tool("bash", command="true"), text("two")]
    async with serving(tmp_path, script, titles=False) as ostler:
        session = (await ostler.post("/session", {"title": "t"}))["id"]
        body = {"parts": [{"type": "text", "text": "hi"}]}
        await ostler.post(f"/session/{session}/message", body)
        (connection,) = opened
        asked: set[str] = set()
        connection.set_trace_callback(asked.add)
        await ostler.post(f"/session/{session}/message", body)
        connection.set_trace_callback(None)
        selects = [sql for sql in asked if sql.upper().startswith(("SELECT", "UPDATE", "DELETE"))]
        assert len(selects) > 5
        scans = {
            f"{step[3]}: {sql}"
            for sql in selects
            for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
            if step[3].startswith("SCAN") and step[3].split()[1] in (*LARGE, "m", "p", "s")
        }
        assert scans == set()
