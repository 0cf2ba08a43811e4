"""A run as it is kept, as a view."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ostler.control.failures import Failure
from ostler.control.plan import Limits
from ostler.control.store import RUNNING, Attempt, ControlStore, Run, StageRecord
from ostler.control.view import (
    AttemptView,
    CheckView,
    DiffView,
    RedView,
    RunView,
    StageView,
    Tokens,
    added,
)
from ostler.schema.base import JsonObject


def whole(store: ControlStore, run: Run) -> JsonObject:
    """A run with its stages and attempts, as they are kept."""
    return {
        **msgspec.to_builtins(run),
        "stages": msgspec.to_builtins(list(store.stages(run.id).values())),
        "attempts": msgspec.to_builtins(store.attempts(run.id)),
    }


def view_of(store: ControlStore, run: Run) -> RunView:
    attempts = store.attempts(run.id)
    stages = _stages(run, store.stages(run.id), attempts)
    budget = run.plan.get("budget")
    return RunView(
        id=run.id,
        name=run.name,
        status=run.status,
        started=_ms(run.created) or 0,
        ended=_ms(run.ended),
        seen=_ms(time.time()) if run.status in RUNNING else None,
        inputs=run.inputs,
        tokens=added(_tokens(a.tokens) for a in attempts),
        cost=sum(a.cost for a in attempts),
        budget=msgspec.convert(budget, Limits) if budget else None,
        stages=stages,
    )


def _stages(
    run: Run, records: Mapping[str, StageRecord], attempts: Sequence[Attempt]
) -> list[StageView]:
    """In the plan's order, the items of a fan-out behind their stage."""
    views = []
    for name, described in run.plan["stages"].items():
        keys = [k for k, r in records.items() if r.name == name and k != name]
        for key in [name, *sorted(keys)]:
            record = records.get(key)
            own = [a for a in attempts if a.stage == key]
            views.append(
                StageView(
                    name=name,
                    status=record.status if record else "pending",
                    item=None if key == name or record is None else _text(record.item),
                    needs=list(described.get("needs") or ()),
                    attempts=[_attempt(a) for a in own],
                )
            )
    return views


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        status=attempt.status,
        session=attempt.session,
        server=attempt.server,
        model=attempt.model or "",
        failure=msgspec.convert(attempt.failure, Failure) if attempt.failure else None,
        started=_ms(attempt.started),
        ended=_ms(attempt.ended),
        tokens=_tokens(attempt.tokens),
        cost=attempt.cost,
        text=attempt.text,
        value=attempt.value,
        checks=[_check(c) for c in attempt.checks],
        diff=[msgspec.convert(d, DiffView) for d in attempt.diff],
    )


def _check(evidence: Mapping[str, Any]) -> CheckView:
    """The run of it that says most: one that failed, else the last."""
    runs = evidence["runs"] or [evidence["red"] or {}]
    told = next((r for r in runs if r.get("exit") != 0), runs[-1])
    red = evidence.get("red")
    return CheckView(
        name=evidence["name"],
        command=evidence["command"],
        exit=told.get("exit"),
        seconds=sum(r.get("seconds", 0.0) for r in runs),
        tree=told.get("tree") or "",
        output=told.get("output") or evidence.get("why") or "",
        red=None if red is None else _red(red),
        flaky=bool(evidence.get("flaky")),
    )


def _red(ran: Mapping[str, Any]) -> RedView:
    return RedView(
        exit=ran.get("exit"),
        seconds=ran.get("seconds", 0.0),
        tree=ran.get("tree") or "",
        output=ran.get("output") or "",
    )


def _tokens(counts: Mapping[str, Any] | None) -> Tokens:
    if not counts:
        return Tokens()
    cache = counts.get("cache") or {}
    return Tokens(
        input=counts.get("input", 0),
        output=counts.get("output", 0),
        reasoning=counts.get("reasoning", 0),
        cache=sum(cache.values()),
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def _text(item: Any) -> str:
    return item if isinstance(item, str) else msgspec.json.encode(item).decode()
