"""Runs, stages and attempts as they are: what the command line shows, and what a resumed run goes
on from. Beside DBOS's own tables, in the same database."""

import time
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import msgspec
import sqlalchemy as sa

from ostler.control.plan import Plan
from ostler.schema.base import JsonObject
from ostler.schema.errors import OstlerError

_meta = sa.MetaData()
_runs = sa.Table(
    "ostler_runs",
    _meta,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created", sa.Float, nullable=False, index=True),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False, default=0),
    sa.Column("data", sa.Text, nullable=False),
)
_stages = sa.Table(
    "ostler_stages",
    _meta,
    sa.Column("run", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("data", sa.Text, nullable=False),
)
_attempts = sa.Table(
    "ostler_attempts",
    _meta,
    sa.Column("run", sa.String, primary_key=True),
    sa.Column("stage", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("data", sa.Text, nullable=False),
)
_workers = sa.Table(
    "ostler_workers",
    _meta,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("seen", sa.Float, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)
quotas = sa.Table(
    "ostler_quotas",
    _meta,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("concurrency", sa.Integer),
    sa.Column("rate", sa.Integer),
    sa.Column("per", sa.Float, nullable=False),
)
quota_leases = sa.Table(
    "ostler_quota_leases",
    _meta,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("holder", sa.String, primary_key=True),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)

FILE_CONNECTIONS = 4
"""To a file, which one writes at a time. Each has a cache of its own."""
BUSY_SECONDS = 30.0
RUNNING = ("queued", "running", "waiting")
OVER = ("passed", "failed", "escalated", "cancelled", "paused")


class UnknownRun(OstlerError):
    """There is no run of that name; the message lists the newest."""


class ControlError(OstlerError):
    """What was asked of the control plane cannot be; the message says why."""


class Run(msgspec.Struct, kw_only=True):
    """``status``: queued, running, waiting (for a person), or how it ended: passed, failed,
    escalated, cancelled, paused. Times are seconds since the epoch. ``generation`` counts how often
    it was started. ``forked``: the run that it goes on from; ``tenant``: for whom it is, which
    counts for quotas."""

    id: str
    name: str
    plan: JsonObject
    inputs: JsonObject
    directory: str
    servers: list[str]
    created: float
    status: str = "queued"
    generation: int = 0
    ended: float | None = None
    failure: JsonObject | None = None
    attended: bool = False
    forked: str | None = None
    tenant: str = ""

    @property
    def described(self) -> Plan:
        """Its plan, as what it is."""
        return msgspec.convert(self.plan, Plan)


class StageRecord(msgspec.Struct, kw_only=True):
    """``key`` is the stage's name, with ``[i]`` for an item of a fan-out. ``artifact`` is
    ``{summary, text, value, directory, commit}`` once it passed."""

    run: str
    key: str
    name: str
    item: Any = None
    status: str = "pending"
    started: float | None = None
    ended: float | None = None
    artifact: JsonObject | None = None
    failure: JsonObject | None = None


class Attempt(msgspec.Struct, kw_only=True):
    """``status``: queued (``held_by`` a quota), running, passed, failed. ``has_place``: it counts
    for quotas. ``waiting`` is what it waits for a person with: ``{id, kind, permission?, patterns?,
    questions?, since}``. ``tokens`` are ``{input, output, reasoning, cache: {read, write}}``."""

    run: str
    stage: str
    number: int
    started: float
    status: str = "running"
    server: str = ""
    directory: str = ""
    session: str = ""
    prompt: str = ""
    model: str | None = None
    base: str | None = None
    branch: str | None = None
    ended: float | None = None
    failure: JsonObject | None = None
    text: str = ""
    value: Any = None
    checks: list[JsonObject] = []
    diff: list[JsonObject] = []
    commit: str | None = None
    tokens: JsonObject | None = None
    cost: float = 0.0
    waiting: JsonObject | None = None
    held_by: str | None = None
    has_place: bool = False
    seen_sent: bool = False

    @property
    def title(self) -> str:
        """Of its session."""
        return f"{self.run}-{self.stage}-a{self.number}"


class ControlStore:
    """``url`` is SQLAlchemy's. Methods block; each is one short transaction."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def engine(self) -> sa.Engine:
        """Of the database, its tables there. DBOS works with the same one where it is a file."""
        if self.url.startswith("sqlite"):
            engine = sa.create_engine(self.url, pool_size=FILE_CONNECTIONS, max_overflow=0)
            sa.event.listen(engine, "connect", _set_up)
        else:
            engine = sa.create_engine(self.url, pool_pre_ping=True, pool_size=5)
        _meta.create_all(engine)
        return engine

    def close(self) -> None:
        if "engine" in self.__dict__:
            self.engine.dispose()

    # ── runs ─────────────────────────────────────────────────────────────────────────────────

    def add_run(self, run: Run) -> None:
        self.save_run(run)

    def save_run(self, run: Run) -> None:
        columns = {"created": run.created, "status": run.status, "generation": run.generation}
        with self.engine.begin() as connection:
            _put(connection, _runs, {"id": run.id}, run, **columns)

    def run(self, run_id: str) -> Run:
        """By its id, or the only one that begins so. Raises UnknownRun."""
        with self.engine.connect() as connection:
            query = sa.select(_runs.c.data).where(_runs.c.id.startswith(run_id, autoescape=True))
            rows = connection.execute(query.limit(2)).scalars().all()
        if len(rows) == 1:
            return msgspec.json.decode(rows[0], type=Run)
        names = ", ".join(r.id for r in self.runs(5)) or "none"
        what = "No run" if not rows else "More than one run"
        raise UnknownRun(f"{what} is called {run_id}. The newest: {names}")

    def picture(self, run_id: str) -> tuple[Run, dict[str, StageRecord]]:
        """A run and its stages, by key. Raises UnknownRun."""
        with self.engine.connect() as connection:
            query = sa.select(_runs.c.data).where(_runs.c.id == run_id)
            run = connection.execute(query).scalar()
            found = sa.select(_stages.c.data).where(_stages.c.run == run_id)
            rows = connection.execute(found).scalars().all()
        if run is None:
            raise UnknownRun(f"No run is called {run_id}")
        stages = [msgspec.json.decode(row, type=StageRecord) for row in rows]
        return msgspec.json.decode(run, type=Run), {stage.key: stage for stage in stages}

    def runs(self, limit: int = 50) -> list[Run]:
        """The newest first."""
        with self.engine.connect() as connection:
            query = sa.select(_runs.c.data).order_by(_runs.c.created.desc()).limit(limit)
            return [msgspec.json.decode(d, type=Run) for d in connection.execute(query).scalars()]

    def runs_over(self, before: float) -> list[Run]:
        """Those that were over by then, the oldest first."""
        query = sa.select(_runs.c.data).where(_runs.c.status.in_(OVER), _runs.c.created < before)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(_runs.c.created)).scalars().all()
        runs = [msgspec.json.decode(row, type=Run) for row in rows]
        return [run for run in runs if run.ended is not None and run.ended < before]

    def remove_runs(self, run_ids: Sequence[str]) -> None:
        """With their stages and attempts."""
        with self.engine.begin() as connection:
            for table, column in ((_attempts, "run"), (_stages, "run"), (_runs, "id")):
                connection.execute(sa.delete(table).where(table.c[column].in_(run_ids)))

    def status(self, run_id: str) -> str:
        with self.engine.connect() as connection:
            found = connection.execute(
                sa.select(_runs.c.status).where(_runs.c.id == run_id)
            ).scalar()
        return found or ""

    # ── stages and attempts ──────────────────────────────────────────────────────────────────

    def save_stage(self, *stages: StageRecord) -> None:
        with self.engine.begin() as connection:
            for stage in stages:
                _put(connection, _stages, {"run": stage.run, "key": stage.key}, stage)

    def stages(self, run_id: str) -> dict[str, StageRecord]:
        rows = self._rows(_stages, run_id, StageRecord)
        return {stage.key: stage for stage in rows}

    def remove_stages(self, run_id: str, keys: Sequence[str]) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                sa.delete(_stages).where(_stages.c.run == run_id, _stages.c.key.in_(keys))
            )

    def save_attempt(self, attempt: Attempt, stage: StageRecord | None = None) -> None:
        """And, with it, the stage that it changes."""
        key = {"run": attempt.run, "stage": attempt.stage, "number": attempt.number}
        with self.engine.begin() as connection:
            _put(connection, _attempts, key, attempt)
            if stage is not None:
                _put(connection, _stages, {"run": stage.run, "key": stage.key}, stage)

    def attempt(self, run_id: str, stage: str, number: int) -> Attempt | None:
        columns = _attempts.c
        query = sa.select(columns.data).where(
            columns.run == run_id, columns.stage == stage, columns.number == number
        )
        with self.engine.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else msgspec.json.decode(found, type=Attempt)

    def attempts(self, run_id: str, stage: str | None = None) -> list[Attempt]:
        """In the order they began."""
        found: list[Attempt] = self._rows(_attempts, run_id, Attempt, stage)
        return sorted(found, key=lambda a: (a.started, a.stage, a.number))

    # ── workers ──────────────────────────────────────────────────────────────────────────────

    def beat(self, worker: str, data: JsonObject) -> None:
        """Say that a worker lives."""
        with self.engine.begin() as connection:
            _put(connection, _workers, {"id": worker}, data, seen=time.time())

    def bury(self, older_than: float) -> list[str]:
        """Forget the workers that have not been seen for so many seconds; which they were. Of
        several who ask, one gets each."""
        dead = []
        limit = time.time() - older_than
        with self.engine.begin() as connection:
            query = sa.select(_workers.c.id).where(_workers.c.seen < limit)
            for worker in connection.execute(query).scalars().all():
                gone = sa.delete(_workers).where(_workers.c.id == worker, _workers.c.seen < limit)
                if connection.execute(gone).rowcount:
                    dead.append(worker)
        return dead

    def leave(self, worker: str) -> None:
        """Say that a worker is no more: what it left undone is there to be taken over."""
        with self.engine.begin() as connection:
            gone = sa.update(_workers).where(_workers.c.id == worker)
            connection.execute(gone.values(seen=0.0))

    def workers(self) -> list[JsonObject]:
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(_workers.c.data)).scalars()
            return [msgspec.json.decode(row) for row in rows]

    # ── rows ─────────────────────────────────────────────────────────────────────────────────

    def _rows(self, table: sa.Table, run_id: str, kind: Any, stage: str | None = None) -> list[Any]:
        query = sa.select(table.c.data).where(table.c.run == run_id)
        if stage is not None:
            query = query.where(table.c.stage == stage)
        with self.engine.connect() as connection:
            return [msgspec.json.decode(d, type=kind) for d in connection.execute(query).scalars()]


def _set_up(connection: Any, _record: Any) -> None:
    """A file that several processes write. NORMAL: with a WAL a killed process loses nothing."""
    connection.isolation_level = "IMMEDIATE"
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000:.0f}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "cache_size=-1024",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _put(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], value: Any, **columns: Any
) -> None:
    values = {**key, **columns, "data": msgspec.json.encode(value).decode()}
    connection.execute(_upsert(table.name, tuple(values), tuple(key)), values)


@cache
def _upsert(table: str, names: tuple[str, ...], key: tuple[str, ...]) -> sa.TextClause:
    """What SQLite and PostgreSQL both understand."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    return sa.text(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + n for n in names)}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    )
