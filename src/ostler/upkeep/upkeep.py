"""One pass over everything that grows. A server does it a minute after its start and then hourly,
``ostler run`` once a day after its answer, ``ostler db vacuum`` when it is asked to."""

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import msgspec

from ostler.config import Paths, load_global
from ostler.project.snapshot_size import snapshot_limit
from ostler.project.snapshot_upkeep import keep_small
from ostler.schema.config import Config
from ostler.schema.errors import ConfigError, OstlerError
from ostler.schema.project import Project
from ostler.store import Store
from ostler.store import retention as questions
from ostler.store.bites import in_bites
from ostler.store.reader import ask
from ostler.store.sessions import trim_tombstones
from ostler.store.space import SLACK, give_back
from ostler.tools.truncate import clean_up
from ostler.upkeep import caches
from ostler.upkeep.sessions import Freed, Nobody, Retention, Users
from ostler.upkeep.stamp import stamp

FORGOTTEN_MS = 30 * 86_400_000
"""After which a project without sessions whose checkout is gone is forgotten."""

log = logging.getLogger("ostler.upkeep")


class Upkeep:
    """``users``: who works with sessions in this process; ``patience``: seconds that each part may
    take, None for as long as it takes; ``slack``: bytes of free pages the database keeps."""

    def __init__(
        self,
        paths: Paths,
        environment: Mapping[str, str],
        store: Store,
        users: Users | None = None,
        patience: float | None = None,
        slack: int = SLACK,
    ) -> None:
        self._paths, self._environment = paths, environment
        self._store, self._users = store, users or Nobody()
        self._patience, self._slack = patience, slack
        self._stamp = stamp(paths.state)
        self.freed = Freed()

    async def run(self) -> bool:
        """Whether it was done: not while another process does it. One part that fails is in the log
        and keeps the others from nothing."""
        with _alone(self._stamp) as alone:
            if not alone:
                return False
            os.utime(self._stamp)
            config = self._config()
            limit = snapshot_limit(config.disk)
            await self._part("tool outputs", self._outputs)
            await self._part("caches", self._caches)
            await self._part("sessions", partial(self._sessions, config))
            await self._part("projects", self._projects)
            await self._part("the database", self._database)
            await self._part("snapshots", partial(keep_small, self._paths.data, limit))
        return True

    def _config(self) -> Config:
        """The user's own: a project does not say what of all projects is deleted."""
        try:
            return load_global(self._paths, self._environment)
        except ConfigError as e:
            log.warning("nothing is deleted by retention: %s", e)
            return Config()

    async def _part(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await work()
        except TimeoutError:
            log.info("upkeep of %s goes on another time", name)
        except (OstlerError, OSError) as e:
            log.warning("upkeep of %s: %s", name, e)

    async def _outputs(self) -> None:
        await asyncio.to_thread(clean_up, self._paths.tool_output)

    async def _caches(self) -> None:
        await asyncio.to_thread(caches.clean, self._paths)

    async def _sessions(self, config: Config) -> None:
        if config.retention is not None:
            retention = Retention(self._store, self._users)
            self.freed = retention.freed
            await retention.apply(config.retention)
            if self.freed != Freed():
                log.info("by retention: %s", self.freed)

    async def _projects(self) -> None:
        """Forget checkouts that are gone, and projects that have nothing left."""
        store = self._store
        used = await ask(store.db, lambda db: db.rows("SELECT DISTINCT project FROM session"))
        for project in store.projects.all():
            if (project.id,) not in used and _is_forgotten(project):
                store.projects.remove(project.id)
            elif gone := [p for p in project.sandboxes if not os.path.isdir(p)]:
                kept = [p for p in project.sandboxes if p not in gone]
                store.projects.save(msgspec.structs.replace(project, sandboxes=kept))
            store.commit()
            await asyncio.sleep(0)

    async def _database(self) -> None:
        """What nobody owns goes, and what is free is given back."""
        db = self._store.db
        for place in await ask(db, questions.owners_gone):
            await in_bites(partial(questions.sweep, db, place))
        lost = await ask(db, questions.lost_rows)
        await in_bites(partial(questions.remove, db, lost))
        trim_tombstones(db)
        self._store.turns.forget_dead()
        db.commit()
        await in_bites(partial(give_back, db, slack=self._slack))


def _is_forgotten(project: Project) -> bool:
    age = time.time() * 1000 - project.time.updated
    places = (project.worktree, *project.sandboxes)
    return age > FORGOTTEN_MS and not any(os.path.isdir(p) for p in places)


@contextmanager
def _alone(path: str) -> Iterator[bool]:
    """Whether no other process is at it; none begins until this ends."""
    with open(path, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
