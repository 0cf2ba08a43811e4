"""The store: the database and its tables, by noun."""

from typing import TYPE_CHECKING

from ostler.events import Bus
from ostler.store.database import Database
from ostler.store.messages import Messages
from ostler.store.projects import Projects
from ostler.store.replay import Replay
from ostler.store.sessions import Sessions
from ostler.store.turns import Turns

if TYPE_CHECKING:
    from ostler.store.statistics import Statistics


class Store:
    """Open with a file path or ``MEMORY``. Every change is also an event on ``bus``."""

    def __init__(self, path: str, bus: Bus) -> None:
        self.db = Database(path, bus)
        self.projects = Projects(self.db)
        self.sessions = Sessions(self.db)
        self.messages = Messages(self.db, self.sessions)
        self.turns = Turns(self.db, self.sessions)
        self.replay = Replay(self.db)

    def statistics(self, since: int = 0, project: str | None = None) -> "Statistics":
        """What was used (see store/statistics.py)."""
        from ostler.store.statistics import statistics

        return statistics(self.db, since, project)

    def commit(self) -> None:
        """Make everything so far durable and its events visible."""
        self.db.commit()

    def close(self) -> None:
        self.turns.close()
        self.db.close()
