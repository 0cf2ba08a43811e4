"""What an attempt at a stage is told, where it works and what it may spend: read from what the run
has come to so far."""

import time
from typing import Any

from ostler.control.attempt import Order
from ostler.control.contract import instructions
from ostler.control.failures import Failure
from ostler.control.plan import Limits, Stage
from ostler.control.spending import Spent
from ostler.control.store import Attempt, ControlStore
from ostler.control.template import render, render_list
from ostler.schema.base import JsonObject

SUMMARY_LIMIT = 4_000
"""Characters of an artifact that later stages are told, where the stage says no summary."""
SHORT_SUMMARY = 800


class Briefing:
    """A stage of a run (``key``: with its item's number) as things stood when it was made. Reading
    it blocks: make it in a thread. Raises UnknownRun."""

    def __init__(self, store: ControlStore, run_id: str, name: str, key: str) -> None:
        self.run, self.records = store.picture(run_id)
        self.plan = self.run.described
        self.stage = self.plan.stages[name]
        self.name, self.key = name, key
        budgets = self.plan.budget or self.stage.budget
        self._done = store.attempts(run_id) if budgets else []

    @property
    def models(self) -> list[str | None]:
        """The one asked for, then those to fall back to."""
        return [self.stage.model or self.plan.model, *(self.stage.fallback or self.plan.fallback)]

    @property
    def needs_base(self) -> bool:
        """Whether the commit it begins with says anything later."""
        return self.stage.worktree or any(check.red_to_green for check in self.stage.checks)

    def items(self) -> list[Any]:
        """Those of a stage that is carried out for each of a list."""
        template = self.stage.for_each or "[]"
        return render_list(template, self.run.inputs, self._artifacts(), stage=self.name)

    def directory(self) -> str:
        """Where the nearest stage it needs left its work, else the run's."""
        for need in reversed(self.stage.needs):
            artifact = self.records[need].artifact if need in self.records else None
            if artifact and artifact.get("commit") and artifact.get("directory"):
                return str(artifact["directory"])
        return self.run.directory

    def order(self, model: str | None, stricter: bool, summaries: bool) -> Order:
        plan, stage = self.plan, self.stage
        artifacts = self._artifacts()
        if summaries:
            artifacts = {name: _shortened(artifact) for name, artifact in artifacts.items()}
        record = self.records.get(self.key)
        item = record.item if record else None
        prompt = render(stage.prompt, self.run.inputs, artifacts, item, stage=self.name)
        if stricter or stage.contract is not None:
            prompt += "\n\n" + instructions(stage.contract or {}, stricter)
        limits = self._left()
        return Order(
            prompt=prompt,
            agent=stage.agent or plan.agent,
            model=model,
            system=stage.system,
            tools=stage.tools,
            contract=stage.contract,
            timeout=min(stage.timeout, limits.seconds or stage.timeout),
            limits=limits,
            asks=stage.asks or plan.asks,
            notify=plan.notify,
        )

    def exhausted(self) -> Failure | None:
        """Why the run has nothing left for another attempt."""
        limits = self.plan.budget
        if limits is None or not self._done:
            return None
        if limits.seconds is not None and time.time() - self._done[0].started >= limits.seconds:
            return Failure("budget_exceeded", f"the run has used its {limits.seconds:.0f} s")
        return _by(self._done).over(limits)

    def _artifacts(self) -> dict[str, JsonObject]:
        """Those of the stages that this one needs, directly or not."""
        wanted, found = list(self.stage.needs), set[str]()
        while wanted:
            need = wanted.pop()
            if need not in found:
                found.add(need)
                wanted += self.plan.stages[need].needs
        records = self.records
        return {
            name: records[name].artifact or {}
            for name in self.plan.stages
            if name in found and name in records
        }

    def _left(self) -> Limits:
        """The tightest of what the run, the stage and the attempt may spend, less what was
        spent."""
        of_stage = [attempt for attempt in self._done if attempt.stage == self.key]
        scopes: list[tuple[Limits | None, list[Attempt]]] = [
            (self.plan.budget, self._done),
            (self.stage.budget, of_stage),
            (self.stage.attempt_budget, []),
        ]
        tokens: list[int] = []
        costs: list[float] = []
        seconds: list[float] = []
        for limits, before in scopes:
            if limits is None:
                continue
            if limits.tokens is not None:
                tokens.append(limits.tokens - _by(before).total)
            if limits.cost is not None:
                costs.append(limits.cost - _by(before).cost)
            if limits.seconds is not None:
                began = min((a.started for a in before), default=time.time())
                seconds.append(limits.seconds - (time.time() - began))
        return Limits(
            tokens=max(1, min(tokens)) if tokens else None,
            cost=max(0.0, min(costs)) if costs else None,
            seconds=max(1.0, min(seconds)) if seconds else None,
        )


def _by(attempts: list[Attempt]) -> Spent:
    return sum((Spent(a.tokens or {}, a.cost) for a in attempts), Spent())


def _shortened(artifact: JsonObject) -> JsonObject:
    short = str(artifact.get("summary", ""))[:SHORT_SUMMARY]
    return {**artifact, "summary": short, "text": short}


def artifact_of(stage: Stage, attempt: Attempt) -> JsonObject:
    """What later stages get of an attempt that passed."""
    return {
        "summary": _summary(stage, attempt),
        "text": attempt.text,
        "value": attempt.value,
        "directory": attempt.directory,
        "commit": attempt.commit,
        "attempt": attempt.number,
    }


def gathered(records: list[JsonObject]) -> JsonObject:
    """One artifact of those of a fan-out's items."""
    return {
        "summary": "\n\n".join(a["summary"] for a in records)[:SUMMARY_LIMIT],
        "text": "\n\n".join(a["text"] for a in records),
        "value": [a["value"] for a in records],
        "directory": records[0]["directory"] if records else None,
    }


def _summary(stage: Stage, attempt: Attempt) -> str:
    if stage.summary is not None:
        artifact = {"text": attempt.text, "value": attempt.value, "summary": ""}
        return render(stage.summary, {}, {"this": artifact})[:SUMMARY_LIMIT]
    return attempt.text[:SUMMARY_LIMIT]
