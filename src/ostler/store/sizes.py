"""What takes the room in the database: bytes by session and by project."""

import msgspec

from ostler.store.reader import BYTES, Rows


class SessionSize(msgspec.Struct, frozen=True, array_like=True):
    """``bytes`` are those of its messages and of what belongs to them; ``updated`` in ms since the
    epoch."""

    id: str
    title: str
    project: str
    directory: str
    parent: str | None
    archived: bool
    updated: int
    messages: int
    bytes: int


class ProjectSize(msgspec.Struct, frozen=True):
    id: str
    worktree: str
    sessions: int
    bytes: int


def session_sizes(db: Rows) -> list[SessionSize]:
    """Every session, the largest first. Reads all rows' lengths. Raises StoreFailure."""
    rows = db.rows(
        "WITH content AS ("
        f"  SELECT session, 0 AS messages, sum({BYTES}) AS size FROM part GROUP BY session"
        f"  UNION ALL SELECT session, count(*), sum({BYTES}) FROM message GROUP BY session),"
        " total AS (SELECT session, sum(messages) AS messages, sum(size) AS size FROM content"
        "  GROUP BY session)"
        " SELECT s.id, json_extract(s.data, '$.title'), s.project, s.directory, s.parent,"
        " s.archived, s.updated, coalesce(t.messages, 0),"
        f" coalesce(t.size, 0) + {BYTES}"
        " FROM session s LEFT JOIN total t ON t.session = s.seq ORDER BY 9 DESC, s.seq DESC"
    )
    return [msgspec.convert(row, SessionSize, strict=False) for row in rows]


def project_sizes(db: Rows, sessions: list[SessionSize]) -> list[ProjectSize]:
    """Every project, the largest first. Raises StoreFailure."""
    worktrees: dict[str, str] = dict(
        db.rows("SELECT id, json_extract(data, '$.worktree') FROM project")
    )
    found = dict.fromkeys(worktrees, (0, 0))
    for session in sessions:
        count, size = found.get(session.project, (0, 0))
        found[session.project] = (count + 1, size + session.bytes)
    sizes = [ProjectSize(p, worktrees.get(p, ""), c, s) for p, (c, s) in found.items()]
    return sorted(sizes, key=lambda p: (-p.bytes, p.id))
