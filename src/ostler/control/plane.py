"""The control plane in a process: DBOS started, runs given to it, dead workers' runs taken over.

Its state is a database: SQLite in Ostler's data folder, or PostgreSQL by URL for many workers on
many machines.
"""

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ostler.client import ClientError
from ostler.control.cleaning import DAYS, clean
from ostler.control.context import Context, use
from ostler.control.journal import forget_old_quietly
from ostler.control.plan import Plan
from ostler.control.pool import Pool
from ostler.control.store import OVER, RUNNING, ControlError, ControlStore, Run
from ostler.schema.base import JsonObject

log = logging.getLogger(__name__)

QUEUE = "ostler-runs"
BEAT_SECONDS = 3.0
DEAD_SECONDS = 15.0
"""A worker that has not been heard of for so long is dead; its runs are taken over."""
CLEAN_SECONDS = 3600.0
FILE = "control.sqlite"
VERSION = "2"
"""Of the workflows' shape: workers of another version leave each other's runs alone."""


def database_url(data: str, named: str | None) -> str:
    """``named``, else the file in the data folder."""
    if not named:
        return f"sqlite:///{os.path.join(data, FILE)}"
    if named.startswith(("postgres://", "postgresql://")):
        return "postgresql+psycopg://" + named.split("://", 1)[1]
    return named


class ControlPlane:
    """``concurrency``: runs that this process carries out at a time from the queue; 0 takes none.
    Use as a context manager."""

    def __init__(
        self,
        url: str,
        data: str,
        environment: Mapping[str, str],
        concurrency: int = 0,
        takes_over: bool = False,
    ) -> None:
        self.context = Context(url, data, environment)
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._url, self._concurrency, self._takes_over = url, concurrency, takes_over
        self._beating: asyncio.Task[None] | None = None
        self._forgetting: asyncio.Task[None] | None = None

    @property
    def store(self) -> ControlStore:
        return self.context.store

    async def __aenter__(self) -> "ControlPlane":
        await asyncio.to_thread(self._beat)
        from dbos import DBOS

        from ostler.control import flow  # noqa: F401 -- registers the workflows

        config: Any = {
            "name": "ostler",
            **self._database(),
            "executor_id": self.id,
            "application_version": VERSION,
            "log_level": "ERROR",
            "enable_otlp": False,
        }
        use(self.context)
        DBOS(config=config)
        DBOS.listen_queues([QUEUE] if self._concurrency else [])
        await asyncio.to_thread(DBOS.launch)
        if self._concurrency:
            await DBOS.register_queue_async(
                QUEUE,
                worker_concurrency=self._concurrency,
                polling_interval_sec=0.2,
                on_conflict="always_update",
            )
        self._beating = asyncio.create_task(self._live())
        self._forgetting = asyncio.create_task(forget_old_quietly())
        return self

    def _database(self) -> JsonObject:
        """One engine for a file, with our settings: DBOS's own has twenty connections, which cache
        two megabytes each and wait for the disk at each commit."""
        if not self._url.startswith("sqlite"):
            return {"system_database_url": self._url}
        return {"system_database_engine": self.store.engine}

    async def __aexit__(self, *_exc: object) -> None:
        from dbos import DBOS

        for task in (self._beating, self._forgetting):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(self.store.leave, self.id)
        await self.context.close()
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=0)
        # DBOS puts its own thread pool into the event loop, and shuts it down.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        self.store.close()
        use(None)

    # ── workers ──────────────────────────────────────────────────────────────────────────────

    def _beat(self) -> None:
        about = {"id": self.id, "host": socket.gethostname(), "pid": os.getpid()}
        self.store.beat(self.id, about)

    async def _live(self) -> None:
        """Say that this worker lives, look for those that do not, clean up after old runs."""
        cleaned = -CLEAN_SECONDS
        while True:
            await asyncio.to_thread(self._beat)
            if self._takes_over:
                await self.take_over()
                if time.monotonic() - cleaned > CLEAN_SECONDS:
                    cleaned = time.monotonic()
                    await clean(self.store, self.context.worktrees, DAYS, records=False)
                    await forget_old_quietly()
            await asyncio.sleep(BEAT_SECONDS)

    async def take_over(self) -> list[str]:
        """Put the runs of dead workers back into the queue; the workers."""
        from dbos import DBOS

        dead = await asyncio.to_thread(self._bury)
        if dead:
            log.info("taking over from %s", ", ".join(dead))
            # What DBOS's own service does for those who use it; there is no public name for it.
            await asyncio.to_thread(DBOS._recover_pending_workflows, dead)
        return dead

    def _bury(self) -> list[str]:
        for worker in self.store.workers():
            if worker.get("host") == socket.gethostname() and not _is_alive(int(worker["pid"])):
                self.store.leave(str(worker["id"]))
        return self.store.bury(DEAD_SECONDS)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────

    async def add(
        self,
        plan: Plan,
        inputs: JsonObject,
        directory: str,
        servers: Sequence[str],
        attended: bool,
        tenant: str = "",
    ) -> Run:
        run = self.like(plan, inputs, directory, servers, attended, tenant)
        await asyncio.to_thread(self.store.add_run, run)
        return run

    @staticmethod
    def like(
        plan: Plan,
        inputs: JsonObject,
        directory: str,
        servers: Sequence[str],
        attended: bool,
        tenant: str = "",
    ) -> Run:
        """A new run, not yet on record."""
        return Run(
            id=_new_id(),
            name=plan.name,
            plan=msgspec.to_builtins(plan),
            inputs=inputs,
            directory=directory,
            servers=list(servers),
            created=time.time(),
            attended=attended,
            tenant=tenant,
        )

    async def start(self, run: Run, queued: bool = False) -> Any:
        """Carry a run out here, or give it to whoever takes from the queue. DBOS's handle of it:
        ``await handle.get_result()`` is the run's status at its end."""
        from dbos import DBOS, SetWorkflowID

        from ostler.control.flow import run_flow, workflow_id

        with SetWorkflowID(workflow_id(run)):
            if queued:
                return await DBOS.enqueue_workflow_async(QUEUE, run_flow, run.id, run.generation)
            return await DBOS.start_workflow_async(run_flow, run.id, run.generation)

    async def schedule(self, name: str, cron: str, run: Run, timezone: str | None) -> None:
        """Begin a run like this at each moment of ``cron``, on whichever worker is free. Raises
        ControlError for a cron that is none, or a name that is taken."""
        from dbos import DBOS
        from dbos import error as dbos_error

        from ostler.control.flow import run_scheduled

        like = {k: v for k, v in msgspec.to_builtins(run).items() if k not in ("id", "created")}
        try:
            await DBOS.register_queue_async(QUEUE, on_conflict="never_update")
            await DBOS.create_schedule_async(
                schedule_name=name,
                workflow_fn=run_scheduled,
                schedule=cron,
                context=like,
                cron_timezone=timezone,
                queue_name=QUEUE,
            )
        except (dbos_error.DBOSException, ValueError) as e:
            raise ControlError(f"schedule {name}: {e}") from None

    async def schedules(self) -> list[JsonObject]:
        """``[{name, cron, flow}]``."""
        from dbos import DBOS

        found = await DBOS.list_schedules_async()
        return [
            {
                "name": each["schedule_name"],
                "cron": each["schedule"],
                "flow": (each["context"] or {}).get("name", ""),
            }
            for each in found
        ]

    async def unschedule(self, name: str) -> None:
        """Raises ControlError where there is none of that name."""
        from dbos import DBOS

        known = [each["name"] for each in await self.schedules()]
        if name not in known:
            names = ", ".join(known) or "none"
            raise ControlError(f"there is no schedule {name}; there are: {names}")
        await DBOS.delete_schedule_async(name)

    async def restart(self, run: Run, stage: str | None, queued: bool = False) -> None:
        """Go on with a run that is over, from a stage or from what has not passed. Raises
        ControlError."""
        if run.status not in OVER:
            raise ControlError(f"{run.id} is {run.status}: it needs no restart")
        if stage is not None:
            gone = _from(run, stage)
            known = await asyncio.to_thread(self.store.stages, run.id)
            keys = [key for key, record in known.items() if record.name in gone]
            await asyncio.to_thread(self.store.remove_stages, run.id, keys)
        run.generation += 1
        run.status, run.ended, run.failure = "queued", None, None
        await asyncio.to_thread(self.store.save_run, run)
        await self.start(run, queued)

    async def fork(self, run: Run, stage: str | None, inputs: JsonObject) -> Run:
        """A new run of the same plan that has passed what this one has, but for a stage and those
        that need it; not yet started. Raises ControlError."""
        gone = _from(run, stage) if stage is not None else set()
        fresh = msgspec.structs.replace(
            run,
            id=_new_id(),
            created=time.time(),
            inputs=inputs,
            status="queued",
            generation=0,
            ended=None,
            failure=None,
            forked=run.id,
        )

        def work() -> None:
            known = self.store.stages(run.id).values()
            kept = [s for s in known if s.status == "passed" and s.name not in gone]
            self.store.save_run(fresh)
            self.store.save_stage(*(msgspec.structs.replace(s, run=fresh.id) for s in kept))

        await asyncio.to_thread(work)
        return fresh


def _from(run: Run, stage: str) -> set[str]:
    """A stage and all that need it. Raises ControlError."""
    stages = run.described.stages
    if stage not in stages:
        raise ControlError(f"{run.id} has no stage {stage}; its stages are {', '.join(stages)}")
    gone = {stage}
    while more := {n for n, s in stages.items() if gone & set(s.needs)} - gone:
        gone |= more
    return gone


def _new_id() -> str:
    return f"run-{secrets.token_hex(4)}"


async def end_run(store: ControlStore, pool: Pool, run: Run, status: str) -> str:
    """Cancel or pause: nothing new begins, what goes on is aborted when cancelled. Who carries the
    run out sees it by itself. Its id."""
    if run.status not in RUNNING:
        raise ControlError(f"{run.id} is {run.status}")
    run.status = status
    await asyncio.to_thread(store.save_run, run)
    if status == "cancelled":
        for attempt in await asyncio.to_thread(store.attempts, run.id):
            if attempt.status == "running" and attempt.session:
                client = pool.server(attempt.server).client
                try:
                    await client.session.abort(attempt.session, directory=attempt.directory)
                except ClientError as e:
                    log.warning("%s: %s", attempt.title, e)
    return run.id


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
