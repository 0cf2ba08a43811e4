"""What was used: sums over the stored messages, made by the database."""

import math
from statistics import median

import msgspec

from ostler.store.database import Database

DAY_MS = 86_400_000


class ModelUse(msgspec.Struct):
    """``output`` includes reasoning; ``cost`` is in USD."""

    model: str
    messages: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    cost: float


class Statistics(msgspec.Struct):
    """Of all sessions, those of subagents included. ``median`` and ``average`` are tokens a
    session; ``tools`` maps a tool to its calls, the most used first."""

    sessions: int
    messages: int
    days: int
    cost: float
    input: int
    output: int
    reasoning: int
    cache_read: int
    cache_write: int
    average: float
    median: float
    models: list[ModelUse]
    tools: dict[str, int]


def statistics(db: Database, since: int = 0, project: str | None = None) -> Statistics:
    """Of the sessions that changed since ``since`` (ms since the epoch), of one project or of
    all."""
    chosen = "FROM session s WHERE s.updated >= ?" + (" AND s.project = ?" if project else "")
    params = (since, *((project,) if project else ()))
    sessions, days = db.row(
        f"SELECT count(*), max(s.updated) - min(json_extract(s.data, '$.time.created')) {chosen}",
        params,
    ) or (0, None)
    (messages,) = db.row(
        f"SELECT count(*) FROM message WHERE session IN (SELECT s.seq {chosen})", params
    ) or (0,)
    models = [ModelUse(*row) for row in db.rows(_models(chosen), params)]
    (reasoning,) = db.row(_reasoning(chosen), params) or (0,)
    used = [row[0] for row in db.rows(_per_session(chosen), params)]
    used += [0] * (sessions - len(used))
    output = sum(m.output for m in models)
    return Statistics(
        sessions=sessions,
        messages=messages,
        days=max(1, math.ceil((days or 0) / DAY_MS)) if sessions else 0,
        cost=sum(m.cost for m in models),
        input=sum(m.input for m in models),
        output=output - reasoning,
        reasoning=reasoning,
        cache_read=sum(m.cache_read for m in models),
        cache_write=sum(m.cache_write for m in models),
        average=sum(used) / sessions if sessions else 0,
        median=median(used) if used else 0,
        models=models,
        tools=dict(db.rows(_tools(chosen), params)),
    )


def _sum(*fields: str) -> str:
    """Of the messages, counting what a message has not as 0."""
    terms = (f"coalesce(json_extract(m.data, '$.{field}'), 0)" for field in fields)
    return f"sum({' + '.join(terms)})"


def _answers(chosen: str) -> str:
    return (
        f"FROM message m WHERE m.session IN (SELECT s.seq {chosen})"
        " AND json_extract(m.data, '$.role') = 'assistant'"
    )


def _models(chosen: str) -> str:
    return (
        "SELECT json_extract(m.data, '$.providerID') || '/' || json_extract(m.data, '$.modelID'),"
        f" count(*), {_sum('tokens.input')}, {_sum('tokens.output', 'tokens.reasoning')},"
        f" {_sum('tokens.cache.read')}, {_sum('tokens.cache.write')}, {_sum('cost')}"
        f" {_answers(chosen)} GROUP BY 1 ORDER BY 2 DESC, 1"
    )


def _reasoning(chosen: str) -> str:
    return f"SELECT coalesce({_sum('tokens.reasoning')}, 0) {_answers(chosen)}"


def _per_session(chosen: str) -> str:
    fields = ("input", "output", "reasoning", "cache.read", "cache.write")
    return f"SELECT {_sum(*(f'tokens.{f}' for f in fields))} {_answers(chosen)} GROUP BY m.session"


def _tools(chosen: str) -> str:
    return (
        "SELECT json_extract(p.data, '$.tool'), count(*) FROM part p"
        f" WHERE p.session IN (SELECT s.seq {chosen})"
        " AND json_extract(p.data, '$.type') = 'tool' GROUP BY 1 ORDER BY 2 DESC, 1"
    )
