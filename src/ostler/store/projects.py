"""Project rows."""

import msgspec

from ostler.schema.project import Project
from ostler.store.codec import encode
from ostler.store.database import Database

_decoder = msgspec.json.Decoder(Project)


class Projects:
    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, project_id: str) -> Project | None:
        row = self._db.row("SELECT data FROM project WHERE id = ?", (project_id,))
        return _decoder.decode(row[0]) if row else None

    def all(self) -> list[Project]:
        """All known projects, the most recently used first."""
        found = [_decoder.decode(data) for (data,) in self._db.rows("SELECT data FROM project")]
        return sorted(found, key=lambda p: -p.time.updated)

    def remove(self, project_id: str) -> None:
        self._db.write("DELETE FROM project WHERE id = ?", (project_id,))

    def save(self, project: Project) -> None:
        self._db.write(
            "INSERT INTO project VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            (project.id, encode(project).decode()),
        )
