"""A run carried out: its stages as workflows of DBOS, each attempt as steps, so that whoever goes
on after a crash knows what is done.

    run: starts the stages whose needs have passed
    stage: an attempt, another, … until one passes or the playbook ends it

A step may be carried out again after a crash; each is written so that this changes nothing:
sessions are found by title, prompts by id, worktrees by name.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from dbos import DBOS, SetWorkflowID
from dbos import error as dbos_error

from ostler.client import ClientError
from ostler.control import attempt as attempts
from ostler.control import workplace
from ostler.control.checks import run_checks
from ostler.control.context import current
from ostler.control.contract import instructions
from ostler.control.failures import Failure
from ostler.control.notify import tell
from ostler.control.plan import Limits, Plan, Stage
from ostler.control.policy import Step, decide, playbook
from ostler.control.store import RUNNING, Attempt, Run, StageRecord
from ostler.control.template import render, render_list
from ostler.schema.base import JsonObject

log = logging.getLogger(__name__)

SUMMARY_LIMIT = 4_000
"""Characters of an artifact that later stages are told, where the stage says no summary."""
SHORT_SUMMARY = 800
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
    needs = {name: set(stage.needs) for name, stage in plan.stages.items()}
    left = [name for name in plan.stages if name not in passed]
    running: dict[str, Any] = {}
    failed: Json | None = None
    goes_on: bool = state["goes_on"]
    while True:
        if failed is None and goes_on:
            for name in [n for n in left if needs[n] <= set(passed)]:
                left.remove(name)
                with SetWorkflowID(f"{run_id}.{generation}.{name}"):
                    running[name] = await DBOS.start_workflow_async(run_stage, run_id, name)
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
    """A mistake of the control plane's own ends a stage like any failure."""
    try:
        result: Json = await handle.get_result()
        return result
    except dbos_error.DBOSException:
        raise
    except Exception as e:
        log.exception("%s failed", handle.workflow_id)
        failure = Failure("aborted", f"{type(e).__name__}: {e}")
        return {"status": "failed", "failure": msgspec.to_builtins(failure)}


@DBOS.step(name="begin")
async def begin(run_id: str) -> Json:
    return await asyncio.to_thread(_begin, run_id)


def _begin(run_id: str) -> Json:
    store = current().store
    run = store.run(run_id)
    if run.status == "queued":
        run.status, run.ended, run.failure = "running", None, None
        store.save_run(run)
    done = {k: s.artifact for k, s in store.stages(run_id).items() if s.status == "passed"}
    passed = {k: v for k, v in done.items() if k in run.plan["stages"]}
    return {"plan": run.plan, "passed": passed, "goes_on": run.status in RUNNING}


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
async def run_stage(run_id: str, name: str) -> Json:
    """``{status: passed, artifact}``, or ``{status: failed | escalated | …, failure}``."""
    first = await prepare(run_id, name, name, None, True)
    if first["items"] is None:
        return await _tries(run_id, name, name, first)
    handles = []
    for index, item in enumerate(first["items"]):
        key = f"{name}[{index}]"
        with SetWorkflowID(f"{DBOS.workflow_id}[{index}]"):
            handles.append(await DBOS.start_workflow_async(run_item, run_id, name, key, item))
    results = [await _result_of(handle) for handle in handles]
    return await gather(run_id, name, results)


@DBOS.workflow(name="ostler.item")
async def run_item(run_id: str, name: str, key: str, item: Any) -> Json:
    return await _tries(run_id, name, key, await prepare(run_id, name, key, item, False))


@DBOS.step(name="prepare")
async def prepare(run_id: str, name: str, key: str, item: Any, whole: bool) -> Json:
    """``items`` of a stage that is carried out for each of a list (asked of the ``whole`` stage);
    the ``number`` of its first attempt, those of an earlier start of the run keep theirs; the
    ``count`` of attempts side by side."""

    def work() -> Json:
        store = current().store
        run, plan, stage = _stage(run_id, name)
        items = None
        if whole and stage.for_each is not None:
            known = _artifacts(run_id, plan, name)
            items = render_list(stage.for_each, run.inputs, known, stage=name)
        record = StageRecord(run=run_id, key=key, name=name, item=item, started=time.time())
        record.status = "running"
        store.save_stage(record)
        before = store.attempts(run_id, key) if run.generation else []
        number = max((a.number for a in before), default=0) + 1
        return {"items": items, "number": number, "count": stage.best_of}

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
        artifacts = [r["artifact"] for r in results]
        record.status = "passed"
        record.artifact = {
            "summary": "\n\n".join(a["summary"] for a in artifacts)[:SUMMARY_LIMIT],
            "text": "\n\n".join(a["text"] for a in artifacts),
            "value": [a["value"] for a in artifacts],
            "directory": artifacts[0]["directory"] if artifacts else None,
        }
        current().store.save_stage(record)
        return _passed(record)

    return await asyncio.to_thread(work)


async def _tries(run_id: str, name: str, key: str, first: Json) -> Json:
    """Attempts at a stage, or at one item of it, until one passes or the playbook ends it."""
    failures: list[Json] = []
    number, count, model = first["number"], first["count"], 0
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
        with SetWorkflowID(f"{DBOS.workflow_id}.a{number + offset}"):
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
        status = store.status(run_id)
        _, plan, stage = _stage(run_id, name)
        if status in RUNNING:
            step = decide(
                [msgspec.convert(failure, Failure) for failure in failures],
                playbook(plan.playbook),
                attempts=stage.attempts,
                has_fallback=model < len(_models(plan, stage)) - 1,
            )
        else:
            step = Step("stop", Failure("aborted", f"the run was {status}"))
        if step.action != "retry":
            record = store.stages(run_id)[key]
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
    _, _, stage = await asyncio.to_thread(_stage, run_id, name)
    won = next(attempt for attempt in made if attempt.number == winner)
    return await asyncio.to_thread(_won, stage, won)


# ── an attempt ────────────────────────────────────────────────────────────────────────────────


@DBOS.step(name="attempt")
async def attempt_once(
    run_id: str, name: str, key: str, number: int, how: Json, alone: bool
) -> Json:
    """One attempt to its end: its place and session found or made, the prompt sent unless that was
    done, the answer awaited, the checks run. Where it is ``alone``, its success is the stage's."""
    context = current()
    run, plan, stage = await asyncio.to_thread(_stage, run_id, name)
    known = await asyncio.to_thread(context.store.attempt, run_id, key, number)
    attempt = known or Attempt(run=run_id, stage=key, number=number, started=time.time())
    attempt.model = _models(plan, stage)[how["model"]]
    failure = await _opened(run, plan, stage, name, attempt, known is not None)
    if failure is None:
        order = await asyncio.to_thread(_order, run, plan, stage, name, key, attempt, how)
        outcome = await attempts.carry_out(attempt, order, context.pool, context.store)
        attempt.text, attempt.value = outcome.text, outcome.value
        attempt.tokens, attempt.cost = outcome.tokens, outcome.cost
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
    return await asyncio.to_thread(_ended, stage, attempt, failure, alone)


async def _opened(
    run: Run, plan: Plan, stage: Stage, name: str, attempt: Attempt, again: bool
) -> Failure | None:
    """Find or make an attempt's place and session; why that cannot be."""
    context = current()
    if attempt.session:
        return None
    failure = await asyncio.to_thread(_exhausted, run.id, plan)
    if failure is not None:
        return failure
    try:
        directory = await asyncio.to_thread(_directory, run, plan, name)
        place = await workplace.opened(directory, attempt.title, context.worktrees, stage.worktree)
        attempt.directory, attempt.base = place.directory, place.base
        attempt.branch = place.branch
        if not again:
            await asyncio.to_thread(context.store.save_attempt, attempt)
        await attempts.open_session(attempt, context.pool, run.servers, again)
    except attempts.LostServer as e:
        return e.failure
    except workplace.NoWorkplace as e:
        return Failure("aborted", str(e))
    return None


def _ended(stage: Stage, attempt: Attempt, failure: Failure | None, alone: bool) -> Json:
    attempt.status = "passed" if failure is None else "failed"
    attempt.failure = None if failure is None else msgspec.to_builtins(failure)
    attempt.ended, attempt.waiting = time.time(), None
    current().store.save_attempt(attempt)
    if failure is not None:
        return {"status": "failed", "failure": attempt.failure, "number": attempt.number}
    if not alone:
        return {"status": "passed", "number": attempt.number}
    return _won(stage, attempt)


def _won(stage: Stage, attempt: Attempt) -> Json:
    """The stage has passed with this attempt."""
    store = current().store
    record = store.stages(attempt.run)[attempt.stage]
    record.status, record.ended = "passed", time.time()
    record.artifact = {
        "summary": _summary(stage, attempt),
        "text": attempt.text,
        "value": attempt.value,
        "directory": attempt.directory,
        "commit": attempt.commit,
        "attempt": attempt.number,
    }
    store.save_stage(record)
    return _passed(record)


def _passed(record: StageRecord) -> Json:
    goes_on = current().store.status(record.run) in RUNNING
    return {"status": "passed", "artifact": record.artifact, "goes_on": goes_on}


# ── what a stage is told ──────────────────────────────────────────────────────────────────────


def _stage(run_id: str, name: str) -> tuple[Run, Plan, Stage]:
    run = current().store.run(run_id)
    plan = msgspec.convert(run.plan, Plan)
    return run, plan, plan.stages[name]


def _models(plan: Plan, stage: Stage) -> list[str | None]:
    """The one asked for, then those to fall back to."""
    return [stage.model or plan.model, *(stage.fallback or plan.fallback)]


def _artifacts(run_id: str, plan: Plan, name: str) -> dict[str, Json]:
    """Those of the stages that this one needs, directly or not."""
    wanted, found = list(plan.stages[name].needs), set[str]()
    while wanted:
        need = wanted.pop()
        if need not in found:
            found.add(need)
            wanted += plan.stages[need].needs
    stages = current().store.stages(run_id)
    return {k: stages[k].artifact or {} for k in plan.stages if k in found and k in stages}


def _directory(run: Run, plan: Plan, name: str) -> str:
    """Where a stage works: where the nearest stage it needs left its work, else the run's."""
    stages = current().store.stages(run.id)
    for need in reversed(plan.stages[name].needs):
        artifact = stages[need].artifact if need in stages else None
        if artifact and artifact.get("commit") and artifact.get("directory"):
            return str(artifact["directory"])
    return run.directory


def _order(
    run: Run, plan: Plan, stage: Stage, name: str, key: str, attempt: Attempt, how: Json
) -> attempts.Order:
    record = current().store.stages(run.id)[key]
    artifacts = _artifacts(run.id, plan, name)
    if how["summaries"]:
        artifacts = {k: _shortened(a) for k, a in artifacts.items()}
    prompt = render(stage.prompt, run.inputs, artifacts, record.item, stage=name)
    if how["stricter"] or stage.contract is not None:
        prompt += "\n\n" + instructions(stage.contract or {}, how["stricter"])
    limits = _left(run.id, key, plan, stage)
    return attempts.Order(
        prompt=prompt,
        agent=stage.agent or plan.agent,
        model=attempt.model,
        system=stage.system,
        tools=stage.tools,
        contract=stage.contract,
        timeout=min(stage.timeout, limits.seconds or stage.timeout),
        limits=limits,
        asks=stage.asks or plan.asks,
        notify=plan.notify,
    )


def _shortened(artifact: Json) -> Json:
    short = str(artifact.get("summary", ""))[:SHORT_SUMMARY]
    return {**artifact, "summary": short, "text": short}


def _summary(stage: Stage, attempt: Attempt) -> str:
    if stage.summary is not None:
        artifact = {"text": attempt.text, "value": attempt.value, "summary": ""}
        return render(stage.summary, {}, {"this": artifact})[:SUMMARY_LIMIT]
    return attempt.text[:SUMMARY_LIMIT]


# ── what may still be spent ───────────────────────────────────────────────────────────────────


def _left(run_id: str, key: str, plan: Plan, stage: Stage) -> Limits:
    """The tightest of what the run, the stage and the attempt may spend, less what was spent."""
    done = current().store.attempts(run_id) if plan.budget or stage.budget else []
    of_stage = [a for a in done if a.stage == key]
    scopes = [(plan.budget, done), (stage.budget, of_stage), (stage.attempt_budget, [])]
    tokens: list[int] = []
    costs: list[float] = []
    seconds: list[float] = []
    for limits, before in scopes:
        if limits is None:
            continue
        if limits.tokens is not None:
            tokens.append(limits.tokens - sum(attempts.counted(a.tokens or {}) for a in before))
        if limits.cost is not None:
            costs.append(limits.cost - sum(a.cost for a in before))
        if limits.seconds is not None:
            began = min((a.started for a in before), default=time.time())
            seconds.append(limits.seconds - (time.time() - began))
    return Limits(
        tokens=max(1, min(tokens)) if tokens else None,
        cost=max(0.0, min(costs)) if costs else None,
        seconds=max(1.0, min(seconds)) if seconds else None,
    )


def _exhausted(run_id: str, plan: Plan) -> Failure | None:
    """Whether the run has nothing left for another attempt."""
    if plan.budget is None:
        return None
    done = current().store.attempts(run_id)
    if not done:
        return None
    tokens: Json = {}
    for attempt in done:
        tokens = attempts.added(tokens, attempt.tokens or {})
    cost = sum(a.cost for a in done)
    limits = plan.budget
    if limits.seconds is not None and time.time() - done[0].started >= limits.seconds:
        return Failure("budget_exceeded", f"the run has used its {limits.seconds:.0f} s")
    return attempts.over(limits, tokens, cost)
