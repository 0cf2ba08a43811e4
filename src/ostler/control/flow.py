"""A run carried out: a workflow of DBOS, each attempt a step of it, so that whoever goes on after a
crash knows what is done.

    run: carries out the stages whose needs have passed, several at a time as workflows of their own
    stage: an attempt, another, … until one passes or the playbook ends it

A step may be carried out again after a crash; each is written so that this changes nothing:
sessions are found by title, prompts by id, worktrees by name.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from dbos import DBOS, SetWorkflowID
from dbos import error as dbos_error

from ostler.client import ClientError
from ostler.control import attempt as attempts
from ostler.control import workplace
from ostler.control.admission import admit
from ostler.control.briefing import Briefing, artifact_of, gathered
from ostler.control.checks import run_checks
from ostler.control.context import current
from ostler.control.failures import Failure
from ostler.control.notify import tell
from ostler.control.plan import Plan, Stage
from ostler.control.policy import Step, decide, playbook
from ostler.control.quotas import Quotas
from ostler.control.store import RUNNING, Attempt, Run, StageRecord
from ostler.schema.base import JsonObject

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.2

Json = JsonObject


def workflow_id(run: Run) -> str:
    """A run that is started again is another workflow."""
    return f"{run.id}.{run.generation}"


# ── a run ─────────────────────────────────────────────────────────────────────────────────────


@DBOS.workflow(name="ostler.run")
async def run_flow(run_id: str, generation: int) -> str:
    """The run's status at its end."""
    state = await begin(run_id)
    plan = msgspec.convert(state["plan"], Plan)
    passed: dict[str, Json] = state["passed"]
    numbers: dict[str, int] = state["numbers"]
    needs = {name: set(stage.needs) for name, stage in plan.stages.items()}
    left = [name for name in plan.stages if name not in passed]
    running: dict[str, Any] = {}
    failed: Json | None = None
    goes_on: bool = state["goes_on"]
    while True:
        ready = [n for n in left if needs[n] <= set(passed)] if failed is None and goes_on else []
        left = [name for name in left if name not in ready]
        if len(ready) == 1 and not running:
            # Nothing else can begin meanwhile: no workflow of its own, which costs as much again.
            name = ready[0]
            result = await _guarded(name, _stage(run_id, name, plan.stages[name], numbers))
        else:
            for name in ready:
                with SetWorkflowID(f"{run_id}.{generation}.{name}"):
                    running[name] = await DBOS.start_workflow_async(
                        run_stage, run_id, name, numbers
                    )
            if not running:
                break
            name = await _first(running)
            result = await _result_of(running.pop(name))
        goes_on = result.get("goes_on", True)
        if result["status"] == "passed":
            passed[name] = result["artifact"]
        else:
            failed = failed or result
    return await finish(run_id, failed)


async def _first(running: Mapping[str, Any]) -> str:
    """The name of a stage that is over, the only one where there is one."""
    if len(running) == 1:
        return next(iter(running))
    handle = await DBOS.wait_first_async(list(running.values()), polling_interval_sec=WAIT_SECONDS)
    return next(n for n, h in running.items() if h.workflow_id == handle.workflow_id)


async def _result_of(handle: Any) -> Json:
    return await _guarded(handle.workflow_id, handle.get_result())


async def _guarded(name: str, work: Awaitable[Json]) -> Json:
    """A mistake of the control plane's own ends a stage like any failure."""
    try:
        return await work
    except dbos_error.DBOSException:
        raise
    except Exception as e:
        log.exception("%s failed", name)
        failure = Failure("aborted", f"{type(e).__name__}: {e}")
        return {"status": "failed", "failure": msgspec.to_builtins(failure)}


@DBOS.step(name="begin")
async def begin(run_id: str) -> Json:
    """``numbers``: of the last attempts at stages that an earlier start of the run made."""
    return await asyncio.to_thread(_begin, run_id)


def _begin(run_id: str) -> Json:
    store = current().store
    run, stages = store.picture(run_id)
    if run.status == "queued":
        run.status, run.ended, run.failure = "running", None, None
        store.save_run(run)
    done = {k: s.artifact for k, s in stages.items() if s.status == "passed"}
    passed = {k: v for k, v in done.items() if k in run.plan["stages"]}
    before = store.attempts(run_id) if run.generation else []
    numbers: dict[str, int] = {}
    for attempt in before:
        numbers[attempt.stage] = max(numbers.get(attempt.stage, 0), attempt.number)
    return {
        "plan": run.plan,
        "passed": passed,
        "numbers": numbers,
        "goes_on": run.status in RUNNING,
    }


@DBOS.step(name="finish")
async def finish(run_id: str, failed: Json | None) -> str:
    def work() -> Run:
        store = current().store
        run = store.run(run_id)
        if run.status not in ("cancelled", "paused"):
            run.status = "passed" if failed is None else str(failed["status"])
            run.failure = failed and failed.get("failure")
        run.ended = time.time()
        store.save_run(run)
        return run

    run = await asyncio.to_thread(work)
    await tell(run.plan.get("notify") or (), _told(run))
    return run.status


def _told(run: Run) -> Json:
    """What who is notified gets."""
    return {"run": run.id, "name": run.name, "status": run.status, "failure": run.failure}


# ── by the clock ──────────────────────────────────────────────────────────────────────────────


@DBOS.workflow(name="ostler.scheduled")
async def run_scheduled(at: datetime, run: Any) -> None:
    """A run that a schedule begins; ``run`` is a Run without an id."""
    await run_flow(await add_scheduled(at.isoformat(), run), 0)


@DBOS.step(name="add_scheduled")
async def add_scheduled(at: str, run: Json) -> str:
    """The run's id, the same for the same moment."""

    def work() -> str:
        digest = hashlib.sha256(f"{run['name']} {at}".encode()).hexdigest()[:8]
        added = msgspec.convert({**run, "id": f"run-{digest}", "created": time.time()}, Run)
        current().store.save_run(added)
        return added.id

    return await asyncio.to_thread(work)


# ── a stage ───────────────────────────────────────────────────────────────────────────────────


@DBOS.workflow(name="ostler.stage")
async def run_stage(run_id: str, name: str, numbers: dict[str, int]) -> Json:
    run, _ = await asyncio.to_thread(current().store.picture, run_id)
    return await _stage(run_id, name, run.described.stages[name], numbers)


async def _stage(run_id: str, name: str, stage: Stage, numbers: dict[str, int]) -> Json:
    """``{status: passed, artifact}``, or ``{status: failed | escalated | …, failure}``."""
    if stage.for_each is None:
        return await _tries(run_id, name, name, stage.best_of, numbers)
    handles = []
    for index in range(await prepare(run_id, name)):
        key = f"{name}[{index}]"
        with SetWorkflowID(f"{DBOS.workflow_id}.{key}"):
            handles.append(
                await DBOS.start_workflow_async(run_item, run_id, name, key, stage.best_of, numbers)
            )
    results = [await _result_of(handle) for handle in handles]
    return await gather(run_id, name, results)


@DBOS.workflow(name="ostler.item")
async def run_item(run_id: str, name: str, key: str, count: int, numbers: dict[str, int]) -> Json:
    return await _tries(run_id, name, key, count, numbers)


@DBOS.step(name="prepare")
async def prepare(run_id: str, name: str) -> int:
    """How many items a stage is carried out for, each on record."""

    def work() -> int:
        store = current().store
        items = Briefing(store, run_id, name, name).items()
        now = time.time()
        records = [StageRecord(run=run_id, key=name, name=name, started=now)]
        for index, item in enumerate(items):
            key = f"{name}[{index}]"
            records.append(StageRecord(run=run_id, key=key, name=name, item=item, started=now))
        for record in records:
            record.status = "running"
        store.save_stage(*records)
        return len(items)

    return await asyncio.to_thread(work)


@DBOS.step(name="gather")
async def gather(run_id: str, name: str, results: list[Json]) -> Json:
    """One result of a fan-out's: it passed if all did."""

    def work() -> Json:
        failed = next((r for r in results if r["status"] != "passed"), None)
        record = StageRecord(run=run_id, key=name, name=name, ended=time.time())
        if failed is not None:
            record.status, record.failure = failed["status"], failed["failure"]
            current().store.save_stage(record)
            return failed
        record.status, record.artifact = "passed", gathered([r["artifact"] for r in results])
        current().store.save_stage(record)
        return _passed(record)

    return await asyncio.to_thread(work)


async def _tries(run_id: str, name: str, key: str, count: int, numbers: Mapping[str, int]) -> Json:
    """Attempts at a stage, or at one item of it, ``count`` side by side, until one passes or the
    playbook ends it."""
    failures: list[Json] = []
    number, model = numbers.get(key, 0) + 1, 0
    step = Step("retry", Failure("aborted", ""))
    while True:
        how = {"model": model, "stricter": step.stricter, "summaries": step.summaries}
        if count == 1:
            outcome = await attempt_once(run_id, name, key, number, how, True)
        else:
            outcome = await _side_by_side(run_id, name, key, number, how, count)
        if outcome["status"] == "passed":
            return outcome
        failures.append(outcome["failure"])
        step = await next_step(run_id, name, key, failures, model)
        if step.action != "retry":
            status = "escalated" if step.action == "escalate" else "failed"
            failure = {**msgspec.to_builtins(step.failure), "stage": key}
            return {"status": status, "failure": failure}
        if step.pause:
            await DBOS.sleep_async(step.pause)
        model += step.next_model
        number += count


async def _side_by_side(
    run_id: str, name: str, key: str, number: int, how: Json, count: int
) -> Json:
    """Several attempts at once: the first that passes counts."""
    handles: dict[str, Any] = {}
    for offset in range(count):
        with SetWorkflowID(f"{DBOS.workflow_id}.{key}.a{number + offset}"):
            handles[str(offset)] = await DBOS.start_workflow_async(
                one_of_several, run_id, name, key, number + offset, how
            )
    last: Json = {}
    while handles:
        first = await _first(handles)
        last = await _result_of(handles.pop(first))
        if last["status"] == "passed":
            others = [number + int(offset) for offset in handles]
            result = await settle(run_id, name, key, last["number"], others)
            for handle in handles.values():
                await _result_of(handle)
            return result
    return last


@DBOS.workflow(name="ostler.attempt")
async def one_of_several(run_id: str, name: str, key: str, number: int, how: Json) -> Json:
    return await attempt_once(run_id, name, key, number, how, False)


@DBOS.step(name="next_step")
async def next_step(run_id: str, name: str, key: str, failures: list[Json], model: int) -> Step:
    """What the playbook says; where the stage ends by it, that is on record."""

    def work() -> Step:
        store = current().store
        now = Briefing(store, run_id, name, key)
        if now.run.status in RUNNING:
            step = decide(
                [msgspec.convert(failure, Failure) for failure in failures],
                playbook(now.plan.playbook),
                attempts=now.stage.attempts,
                has_fallback=model < len(now.models) - 1,
            )
        else:
            step = Step("stop", Failure("aborted", f"the run was {now.run.status}"))
        if step.action != "retry":
            record = now.records[key]
            record.status = "escalated" if step.action == "escalate" else "failed"
            record.failure, record.ended = msgspec.to_builtins(step.failure), time.time()
            store.save_stage(record)
        return step

    return await asyncio.to_thread(work)


@DBOS.step(name="settle")
async def settle(run_id: str, name: str, key: str, winner: int, others: list[int]) -> Json:
    """One of several attempts has won: the others are given up."""
    context = current()
    made = await asyncio.to_thread(context.store.attempts, run_id, key)
    for attempt in made:
        if attempt.number in others and attempt.status == "running" and attempt.session:
            client = context.pool.server(attempt.server).client
            try:
                await client.session.abort(attempt.session, directory=attempt.directory)
            except ClientError:
                pass  # its own deadline ends it
    won = next(attempt for attempt in made if attempt.number == winner)

    def work() -> Json:
        now = Briefing(context.store, run_id, name, key)
        record = _won(now, won)
        context.store.save_stage(record)
        return _passed(record)

    return await asyncio.to_thread(work)


# ── an attempt ────────────────────────────────────────────────────────────────────────────────


@DBOS.step(name="attempt")
async def attempt_once(
    run_id: str, name: str, key: str, number: int, how: Json, alone: bool
) -> Json:
    """One attempt to its end: its place and session found or made, the prompt sent unless that was
    done, the answer awaited, the checks run. Where it is ``alone``, its success is the stage's."""
    context = current()
    now, attempt, again = await asyncio.to_thread(_started, run_id, name, key, number)
    attempt.model = now.models[how["model"]]
    stage = now.stage
    failure = await _opened(now, attempt, again)
    if failure is None:
        order = now.order(attempt.model, how["stricter"], how["summaries"])
        outcome = await attempts.carry_out(attempt, order, context.pool, context.store)
        attempt.text, attempt.value = outcome.text, outcome.value
        attempt.tokens, attempt.cost = outcome.spent.tokens, outcome.spent.cost
        attempt.model = outcome.model or attempt.model
        failure = outcome.failure
    place = workplace.Workplace(attempt.directory, attempt.base, attempt.branch)
    if attempt.branch:
        attempt.diff = await workplace.changes(place)
    if failure is None and stage.checks:
        evidence, failure = await run_checks(
            stage.checks, attempt.directory, attempt.base, context.environment
        )
        attempt.checks = [msgspec.to_builtins(e) for e in evidence]
    if failure is None:
        attempt.commit = await workplace.committed(place, attempt.title)
    return await asyncio.to_thread(_ended, now, attempt, failure, alone)


def _started(run_id: str, name: str, key: str, number: int) -> tuple[Briefing, Attempt, bool]:
    """The attempt, and whether it was on record. Its stage is now one that runs."""
    store = current().store
    known = store.attempt(run_id, key, number)
    now = Briefing(store, run_id, name, key)
    if known is not None:
        return now, known, True
    attempt = Attempt(run=run_id, stage=key, number=number, started=time.time())
    record = now.records.get(key)
    if record is None or record.status != "running":
        record = StageRecord(run=run_id, key=key, name=name, started=attempt.started)
        record.status = "running"
        now.records[key] = record
        store.save_stage(record)
    return now, attempt, False


async def _opened(now: Briefing, attempt: Attempt, again: bool) -> Failure | None:
    """Find or make an attempt's place and session; why that cannot be."""
    context = current()
    if attempt.session:
        return None
    failure = await admit(now, attempt)
    if failure is not None:
        return failure
    try:
        place = await workplace.opened(
            now.directory(),
            attempt.title,
            context.worktrees,
            now.stage.worktree,
            now.needs_base,
        )
        attempt.directory, attempt.base = place.directory, place.base
        attempt.branch = place.branch
        if not again or attempt.status == "queued":
            attempt.status, attempt.started = "running", time.time()
            await asyncio.to_thread(context.store.save_attempt, attempt)
        await attempts.open_session(attempt, context.pool, again)
    except attempts.LostServer as e:
        return e.failure
    except workplace.NoWorkplace as e:
        return Failure("aborted", str(e))
    return None


def _ended(now: Briefing, attempt: Attempt, failure: Failure | None, alone: bool) -> Json:
    store = current().store
    attempt.status = "passed" if failure is None else "failed"
    attempt.failure = None if failure is None else msgspec.to_builtins(failure)
    attempt.ended, attempt.waiting, attempt.held_by = time.time(), None, None
    if attempt.has_place:
        Quotas(store).give_back(attempt.title)
        attempt.has_place = False
    if failure is None and alone:
        record = _won(now, attempt)
        store.save_attempt(attempt, record)
        return _passed(record)
    store.save_attempt(attempt)
    if failure is not None:
        return {"status": "failed", "failure": attempt.failure, "number": attempt.number}
    return {"status": "passed", "number": attempt.number}


def _won(now: Briefing, attempt: Attempt) -> StageRecord:
    """The stage, passed with this attempt."""
    record = now.records[attempt.stage]
    record.status, record.ended = "passed", time.time()
    record.artifact = artifact_of(now.stage, attempt)
    return record


def _passed(record: StageRecord) -> Json:
    goes_on = current().store.status(record.run) in RUNNING
    return {"status": "passed", "artifact": record.artifact, "goes_on": goes_on}
