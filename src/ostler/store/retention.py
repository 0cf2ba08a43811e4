"""Which sessions may go, by age and value. Nothing here deletes: these are questions.

A family, that is a session and all below it, goes as a whole or not at all. One that is at work,
has been in the last day, or has a shared page stays.
"""

from collections.abc import Sequence

import msgspec

from ostler.store.database import Database
from ostler.store.reader import BYTES, Rows

LEAST_AGE_MS = 86_400_000
"""A family is left alone for a day, whatever the limits are."""
WORTH = 2_048
"""Characters of a tool's result below which clearing it frees nothing to speak of."""


class Family(msgspec.Struct, frozen=True):
    """A root session's id and what deleting it would free, in bytes; ``touched``: ms since the
    epoch when something happened in it last."""

    id: str
    touched: int
    archived: bool
    bytes: int


_FAMILIES = """
WITH RECURSIVE family(root, seq, id, updated, shared) AS (
  SELECT seq, seq, id, updated, json_extract(data, '$.share') IS NOT NULL FROM session s
  WHERE parent IS NULL OR NOT EXISTS (SELECT 1 FROM session p WHERE p.id = s.parent)
  UNION
  SELECT f.root, s.seq, s.id, s.updated, json_extract(s.data, '$.share') IS NOT NULL
  FROM family f JOIN session s ON s.parent = f.id
),
idle AS (
  SELECT root, max(updated) AS touched FROM family GROUP BY root
  HAVING max(updated) < :before AND NOT max(shared)
  AND NOT max(EXISTS (SELECT 1 FROM turn WHERE turn.session = family.seq))
)
"""


def idle_families(db: Rows, before: int, archived_before: int | None = None) -> list[str]:
    """Ids of root sessions whose family may go, the oldest first: nothing has happened in it since
    ``before`` (ms). With ``archived_before`` those alone that were archived before then."""
    archived = (
        " AND s.archived AND json_extract(s.data, '$.time.archived') < :archived"
        if archived_before is not None
        else ""
    )
    rows = db.rows(
        f"{_FAMILIES} SELECT s.id FROM idle JOIN session s ON s.seq = idle.root"
        f" WHERE true{archived} ORDER BY idle.touched",
        {"before": before, "archived": archived_before},
    )
    return [row[0] for row in rows]


def families_by_value(db: Rows, before: int) -> list[Family]:
    """What may go when there is too much, the least worth first: what is archived, then the rest,
    each from the oldest on."""
    rows = db.rows(
        f"{_FAMILIES} SELECT s.id, idle.touched, s.archived, ("
        "  SELECT sum("
        f"   (SELECT coalesce(sum({BYTES}), 0) FROM part WHERE session = f.seq)"
        f"   + (SELECT coalesce(sum({BYTES}), 0) FROM message"
        "      WHERE session = f.seq))"
        "  FROM family f WHERE f.root = idle.root)"
        " FROM idle JOIN session s ON s.seq = idle.root ORDER BY s.archived DESC, idle.touched",
        {"before": before},
    )
    return [Family(row[0], row[1], bool(row[2]), row[3]) for row in rows]


class OldOutput(msgspec.Struct, frozen=True):
    session: str
    message: str
    part: str
    size: int


def outputs_not_shown(db: Rows, before: int) -> list[OldOutput]:
    """Results of tools, in sessions that nothing has happened in since ``before`` (ms), that models
    are no longer shown: they were pruned, or stand before what the newest summary kept. The oldest
    first."""
    rows = db.rows(
        "WITH idle AS (SELECT s.seq, s.id, s.updated FROM session s WHERE s.updated < :before"
        "  AND json_extract(s.data, '$.share') IS NULL"
        "  AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.session = s.seq)),"
        " summary AS (SELECT m.session, max(m.seq) AS seq FROM message m"
        "  WHERE m.session IN (SELECT seq FROM idle) AND json_extract(m.data, '$.summary')"
        "  AND json_extract(m.data, '$.finish') IS NOT NULL"
        "  AND json_extract(m.data, '$.error') IS NULL GROUP BY m.session),"
        " kept AS (SELECT y.session, coalesce((SELECT t.seq FROM part p JOIN message t"
        "   ON t.id = json_extract(p.data, '$.tail_start_id') AND t.session = y.session"
        "   WHERE p.session = y.session AND p.message = q.seq"
        "   AND json_extract(p.data, '$.type') = 'compaction'), q.seq) AS seq"
        "  FROM summary y JOIN message a ON a.seq = y.seq"
        "  JOIN message q ON q.id = json_extract(a.data, '$.parentID') AND q.session = y.session)"
        " SELECT i.id, m.id, p.id, length(p.data) FROM idle i"
        " JOIN part p ON p.session = i.seq JOIN message m ON m.seq = p.message"
        " LEFT JOIN kept k ON k.session = i.seq"
        " WHERE length(p.data) > :worth AND json_extract(p.data, '$.type') = 'tool'"
        " AND json_extract(p.data, '$.state.status') = 'completed'"
        " AND (json_extract(p.data, '$.state.time.compacted') IS NOT NULL OR p.message < k.seq)"
        " AND (length(json_extract(p.data, '$.state.output')) > :worth"
        "  OR json_extract(p.data, '$.state.attachments') IS NOT NULL)"
        " ORDER BY i.updated, p.seq",
        {"before": before, "worth": WORTH},
    )
    return [OldOutput(*row) for row in rows]


# ── what nobody owns ──────────────────────────────────────────────────────────────────────────

_ORPHANS = {
    "message": "session NOT IN (SELECT seq FROM session)",
    "part": "session NOT IN (SELECT seq FROM session) OR message NOT IN (SELECT seq FROM message)",
    "todo": "session NOT IN (SELECT seq FROM session)",
    "turn": "session NOT IN (SELECT seq FROM session)",
}
"""Rows of a table whose owner is gone."""


def orphans(db: Rows) -> dict[str, int]:
    """How many rows of each table have no owner, tables without any left out."""
    counts = {t: db.rows(f"SELECT count(*) FROM {t} WHERE {w}")[0][0] for t, w in _ORPHANS.items()}
    return {table: count for table, count in counts.items() if count}


def orphan_sessions(db: Rows) -> list[str]:
    """Ids of sessions whose parent is gone."""
    rows = db.rows(
        "SELECT id FROM session s WHERE parent IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM session p WHERE p.id = s.parent) ORDER BY seq"
    )
    return [row[0] for row in rows]


def owners_gone(db: Rows) -> Sequence[int]:
    """Places of sessions that are gone and have left messages or parts."""
    rows = db.rows(
        "SELECT session FROM (SELECT DISTINCT session FROM part UNION"
        " SELECT DISTINCT session FROM message) WHERE session NOT IN (SELECT seq FROM session)"
    )
    return [row[0] for row in rows]


def lost_rows(db: Rows) -> list[tuple[str, int]]:
    """(table, row) of what belongs to a message, or a session, that is gone, but for what
    ``owners_gone`` finds."""
    parts = db.rows(
        "SELECT 'part', seq FROM part p WHERE"
        " NOT EXISTS (SELECT 1 FROM message m WHERE m.seq = p.message)"
        " AND session IN (SELECT seq FROM session)"
    )
    others = [
        (table, row[0])
        for table in ("todo", "turn")
        for row in db.rows(f"SELECT rowid FROM {table} WHERE {_ORPHANS[table]}")
    ]
    return [*parts, *others]


def remove(db: Database, rows: list[tuple[str, int]], count: int) -> int:
    """Delete up to so many of the rows, from the list too; how many it were."""
    chosen = [rows.pop() for _ in range(min(count, len(rows)))]
    for table, row in chosen:
        db.write(f"DELETE FROM {table} WHERE rowid = ?", (row,))
    db.commit()
    return len(chosen)


def sweep(db: Database, session: int, rows: int) -> int:
    """Delete up to so many rows that a session which is gone has left; how many it were."""
    if db.row("SELECT 1 FROM session WHERE seq = ?", (session,)) is not None:
        return 0
    for table in ("part", "message"):
        touched = db.write(
            f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} WHERE session = ? LIMIT ?)",
            (session, rows),
        )
        if touched:
            db.commit()
            return touched
    for table in ("todo", "turn"):
        db.write(f"DELETE FROM {table} WHERE session = ?", (session,))
    db.commit()
    return 0
