"""What a session's messages say about how it went: a summary, and what looks wrong by rule.

Pure: it reads the API's JSON (``{info, parts}`` records, of any server and version) and touches
nothing else. What is missing in a record counts as nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ostler.control.failures import FailureKind, failure_of_error
from ostler.schema.base import JsonObject

REPEATS = 3
"""Identical calls in a row that count as stuck."""
MOSTLY = 0.5
"""The share of the output that reasoning took when it was cut off."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens."""

    input: int = 0
    output: int = 0
    reasoning: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        mine, more = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Usage(*(a + b for a, b in zip(mine, more, strict=True)))

    @property
    def is_nothing(self) -> bool:
        return not any(msgspec.structs.astuple(self))


class Call(msgspec.Struct, frozen=True):
    """A tool call. ``said``: its output, or its error."""

    tool: str
    status: str
    input: JsonObject
    said: str = ""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message. ``model`` is provider/model: the one that was asked for in a prompt, the one that
    answered in an answer; ``seconds`` None: it is not at its end."""

    id: str
    role: str
    parent: str = ""
    agent: str = ""
    model: str = ""
    text: str = ""
    reasoning: str = ""
    calls: list[Call] = []
    finish: str = ""
    usage: Usage = Usage()
    cost: float = 0.0
    created: int = 0
    seconds: float | None = None
    error: JsonObject | None = None
    fallback: list[JsonObject] = []
    is_summary: bool = False


class Finding(msgspec.Struct, frozen=True):
    """``rule`` names it; ``kind`` is the failure it amounts to, None for what is worth knowing."""

    rule: str
    message: str
    messageID: str = ""
    kind: FailureKind | None = None


class Inspection(msgspec.Struct, frozen=True):
    """``session``: its record, empty where only messages are known; ``cost`` in USD."""

    session: JsonObject
    steps: list[Step]
    usage: Usage
    cost: float
    findings: list[Finding]


def inspect(
    messages: Sequence[Mapping[str, Any]],
    session: Mapping[str, Any] | None = None,
    asks: Sequence[Mapping[str, Any]] = (),
    is_running: bool = False,
) -> Inspection:
    """``asks``: pending permissions and questions; ``is_running``: the session is at work, so that
    what is not at its end yet is no finding."""
    steps = [step_of(message) for message in messages]
    usage = sum((step.usage for step in steps), Usage())
    return Inspection(
        session=dict(session or {}),
        steps=steps,
        usage=usage,
        cost=sum(step.cost for step in steps),
        findings=list(_findings(steps, asks, is_running)),
    )


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def step_of(message: Mapping[str, Any]) -> Step:
    """What matters of a message."""
    info, parts = message.get("info") or {}, message.get("parts") or []
    time = info.get("time") or {}
    created, completed = time.get("created") or 0, time.get("completed")
    return Step(
        id=info.get("id", ""),
        role=info.get("role", ""),
        parent=info.get("parentID", ""),
        agent=info.get("agent") or info.get("mode") or "",
        model=_model(info),
        text=_joined(p for p in parts if p.get("type") == "text" and not p.get("synthetic")),
        reasoning=_joined(p for p in parts if p.get("type") == "reasoning"),
        calls=[_call(p) for p in parts if p.get("type") == "tool"],
        finish=info.get("finish") or "",
        usage=_usage(info.get("tokens") or {}),
        cost=info.get("cost") or 0.0,
        created=created,
        seconds=(completed - created) / 1000 if completed else None,
        error=info.get("error"),
        fallback=info.get("fallback") or [],
        is_summary=bool(info.get("summary")),
    )


def _model(info: Mapping[str, Any]) -> str:
    named = info.get("model") if isinstance(info.get("model"), Mapping) else info
    provider, model = (named or {}).get("providerID"), (named or {}).get("modelID")
    return f"{provider}/{model}" if provider and model else ""


def _joined(parts: Iterator[Mapping[str, Any]]) -> str:
    return "\n".join(text for part in parts if (text := part.get("text") or ""))


def _call(part: Mapping[str, Any]) -> Call:
    state = part.get("state") or {}
    said = state.get("error") or state.get("output") or ""
    return Call(part.get("tool", ""), state.get("status", ""), state.get("input") or {}, said)


def _usage(tokens: Mapping[str, Any]) -> Usage:
    cache = tokens.get("cache") or {}
    return Usage(
        tokens.get("input") or 0,
        tokens.get("output") or 0,
        tokens.get("reasoning") or 0,
        cache.get("read") or 0,
        cache.get("write") or 0,
    )


# ── rules ─────────────────────────────────────────────────────────────────────────────────────


def _findings(
    steps: Sequence[Step], asks: Sequence[Mapping[str, Any]], is_running: bool
) -> Iterator[Finding]:
    asked = {step.id: step.model for step in steps if step.role == "user"}
    for step in steps:
        if step.role == "assistant":
            is_open = step.seconds is None and not step.error
            if not (is_open and is_running):
                for rule in _RULES:
                    yield from rule(step)
            yield from _other_model(step, asked.get(step.parent, ""))
    yield from _repeats(steps)
    yield from (_pending(ask) for ask in asks)
    if not is_running and not asks and steps and steps[-1].role == "user":
        yield Finding("unanswered", "the newest prompt has no answer", steps[-1].id, "stuck")


def _failed(step: Step) -> Iterator[Finding]:
    if step.error:
        failure = failure_of_error(step.error)
        yield Finding("failed", failure.message, step.id, failure.kind)


def _interrupted(step: Step) -> Iterator[Finding]:
    if step.seconds is None and not step.error:
        yield Finding("interrupted", "the answer has no end, and nothing works on it", step.id)


def _silent(step: Step) -> Iterator[Finding]:
    """Nothing said and nothing called."""
    if step.text.strip() or step.calls or (step.error or {}).get("name") == "MessageAbortedError":
        return
    if step.usage.is_nothing:
        message = "all tokens are 0: the request never reached the model"
        yield Finding("never_reached", message, step.id, None if step.error else "empty_completion")
    elif step.usage.output == 0 and step.usage.reasoning == 0:
        message = "no text and 0 output tokens: the model never answered; check proxy and provider"
        yield Finding("never_answered", message, step.id, "empty_completion")


def _no_usage(step: Step) -> Iterator[Finding]:
    if step.usage.is_nothing and (step.text.strip() or step.calls) and not step.error:
        yield Finding("no_usage", "the provider reports no tokens: budgets cannot hold", step.id)


def _only_calls(step: Step) -> Iterator[Finding]:
    if step.finish == "stop" and step.calls and not step.text.strip():
        message = "the model said it was done (stop), and there are tool calls and no text"
        yield Finding("only_tool_calls", message, step.id, "assistant_output_missing_text_part")


def _cut_off(step: Step) -> Iterator[Finding]:
    if step.finish == "length":
        message = "the answer was cut off by the output limit"
        yield Finding("truncated", message, step.id, "output_truncated")


def _thought_too_long(step: Step) -> Iterator[Finding]:
    thought, said = step.usage.reasoning, step.usage.output
    if step.text.strip() or step.calls or not (thought or step.reasoning):
        return
    if step.finish == "length" or thought > MOSTLY * (thought + said):
        message = f"reasoning took the output's budget ({thought} tokens): nothing was left to say"
        yield Finding("reasoning_only", message, step.id, "output_truncated")


_RULES: tuple[Callable[[Step], Iterator[Finding]], ...] = (
    _failed,
    _interrupted,
    _silent,
    _no_usage,
    _only_calls,
    _cut_off,
    _thought_too_long,
)


def _other_model(step: Step, asked: str) -> Iterator[Finding]:
    if not asked or not step.model or step.model == asked or step.is_summary:
        return
    why = "; ".join(
        f"{f.get('providerID')}/{f.get('modelID')}: {f.get('message')}" for f in step.fallback
    )
    message = f"{step.model} answered, {asked} was asked for" + (f" ({why})" if why else "")
    yield Finding("other_model", message, step.id)


def _repeats(steps: Sequence[Step]) -> Iterator[Finding]:
    """Once for each row of identical calls, at the message that has its last."""
    row, at, previous = 0, "", None
    for step in steps:
        for call in step.calls:
            same = (call.tool, call.input) == previous
            if not same and row >= REPEATS:
                yield _stuck(previous, row, at)
            row = row + 1 if same else 1
            at, previous = step.id, (call.tool, call.input)
    if row >= REPEATS:
        yield _stuck(previous, row, at)


def _stuck(call: tuple[str, JsonObject] | None, row: int, at: str) -> Finding:
    tool = call[0] if call else ""
    return Finding("repeats", f"{tool} was called {row} times in a row, the same way", at, "stuck")


def _pending(ask: Mapping[str, Any]) -> Finding:
    at = (ask.get("tool") or {}).get("messageID") or ""
    if "permission" in ask:
        what = " ".join([ask["permission"], *ask.get("patterns", ())])
        return Finding("pending", f"somebody has to allow: {what}", at, "pending_permission")
    asked = "; ".join(q.get("question", "") for q in ask.get("questions", ()))
    return Finding("pending", f"somebody has to answer: {asked}", at, "pending_question")
