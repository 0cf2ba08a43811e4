"""Budgets: what a call may use at most is reserved before it is sent, or it is not sent.

A budget is of a session, with all subagents below it, or of a prompt: the prompt's own, else that
of the agent who answers. A call draws on every one that is in force around it: its prompt's, its
session's, and those of the sessions above.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.engine.history import Entry
from ostler.engine.tokens import OUTPUT_LIMIT, cost_of, estimate
from ostler.models.request import (
    MediaBlock,
    ModelRequest,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from ostler.schema.errors import BudgetData, BudgetExceededError, TurnError
from ostler.schema.message import UserMessage
from ostler.schema.part import CompactionPart, TextPart
from ostler.schema.session import (
    NO_TOKENS,
    NOTHING_USED,
    Budget,
    BudgetUse,
    CacheTokens,
    Session,
    SessionBudget,
    Tokens,
)

if TYPE_CHECKING:
    from ostler.engine.turn import Turn

LEAST_OUTPUT = 1_000
"""Tokens of an answer that is worth asking for, where the model may give as many."""
MEDIA_TOKENS = 1_500
"""What an image or a page counts as before the provider has counted it."""


class BudgetExceeded(TurnError):
    """A call was refused, or its time ran out."""


class Allowance:
    """The budget of a prompt while it is answered."""

    def __init__(self, scope: str, limits: Budget, spent: BudgetUse) -> None:
        self.scope, self.limits = scope, limits
        self.before = spent
        self.began = time.monotonic()
        self.reserved = NOTHING_USED


class _Scope(msgspec.Struct):
    """A budget in force."""

    name: str
    session_id: str
    limits: Budget
    spent: BudgetUse
    reserved: BudgetUse

    def room(self, resource: str) -> float | None:
        """What is left; None: it is not limited."""
        allowed = getattr(self.limits, resource)
        if allowed is None:
            return None
        return float(allowed - getattr(self.spent, resource) - getattr(self.reserved, resource))

    def exceeded(self, resource: str, needed: float) -> BudgetExceeded:
        allowed = getattr(self.limits, resource)
        spent, held = getattr(self.spent, resource), getattr(self.reserved, resource)
        whose = f"session {self.session_id}" if self.name == "session" else f"this {self.name}"
        unit = {"cost": " USD", "seconds": " s", "tokens": " tokens"}[resource]
        message = (
            f"The budget of {whose} is used up: of {_number(allowed)}{unit}, {_number(spent)} are "
            f"spent and {_number(held)} reserved"
        )
        if needed:
            message += f", and the next call may need {_number(needed)}"
        return BudgetExceeded(
            BudgetExceededError(
                data=BudgetData(
                    message=message + ".",
                    scope=self.name,
                    sessionID=self.session_id,
                    resource=resource,
                    allowed=allowed,
                    spent=spent,
                    reserved=held,
                    needed=needed,
                )
            )
        )


def _number(value: float) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".")


# ── what is in force ──────────────────────────────────────────────────────────────────────────


def allow(turn: "Turn", prompt: Entry) -> None:
    """Put the budget of a prompt into force until there is another one, if it has any."""
    user = prompt.message
    if not isinstance(user, UserMessage) or turn.allowed_for == user.id or _is_ours(prompt):
        return
    agent = turn.instance.agents.get(user.agent)
    limits, scope = user.budget, "prompt"
    if limits is None and agent is not None:
        limits, scope = agent.budget, "agent"
    turn.allowed_for = user.id
    turn.allowance = Allowance(scope, limits, spent_by(turn.session())) if limits else None


def _is_ours(prompt: Entry) -> bool:
    """Whether nobody wrote it: a compaction, or a nudge to go on."""
    return all(
        isinstance(p, CompactionPart) or (isinstance(p, TextPart) and p.synthetic)
        for p in prompt.parts
    )


def applies(turn: "Turn", user: UserMessage) -> bool:
    """Whether the answer to a prompt will draw on any budget."""
    agent = turn.instance.agents.get(user.agent)
    return bool(user.budget or (agent and agent.budget) or _scopes(turn))


def spent_by(session: Session) -> BudgetUse:
    """Tokens and cost of a session and of the subagents below it."""
    below = session.children
    return _used(
        _count(session.tokens) + (_count(below.tokens) if below else 0),
        (session.cost or 0) + (below.cost if below else 0),
    )


def _used(tokens: int, cost: float) -> BudgetUse:
    return BudgetUse(tokens=tokens, cost=cost, seconds=0)


def opened(session: Session) -> SessionBudget:
    """A budget without limits, with what the session has spent."""
    return SessionBudget(spent=spent_by(session), reserved=NOTHING_USED)


def _count(tokens: Tokens | None) -> int:
    t = tokens or NO_TOKENS
    return t.input + t.output + t.reasoning + t.cache.read + t.cache.write


def _chain(turn: "Turn") -> list[tuple[Session, "Turn | None"]]:
    """The session and those above it, each with its turn."""
    session = turn.session()
    above = turn.instance.store.sessions.ancestors(session) if session.parentID else []
    return [(session, turn), *((s, turn.instance.runs.turn(s.id)) for s in above)]


def _scopes(turn: "Turn") -> list[_Scope]:
    scopes = []
    for session, active in _chain(turn):
        allowance = active.allowance if active else None
        if allowance is not None:
            spent = spent_by(session)
            used = BudgetUse(
                tokens=spent.tokens - allowance.before.tokens,
                cost=spent.cost - allowance.before.cost,
                seconds=time.monotonic() - allowance.began,
            )
            scopes.append(
                _Scope(allowance.scope, session.id, allowance.limits, used, allowance.reserved)
            )
        if session.budget is not None:
            budget = session.budget
            scopes.append(
                _Scope("session", session.id, budget, _spent(session, active), budget.reserved)
            )
    return scopes


def _spent(session: Session, active: "Turn | None") -> BudgetUse:
    assert session.budget is not None
    seconds = session.budget.spent.seconds
    if active is not None:
        seconds = active.seconds_before + (time.monotonic() - active.began)
    return msgspec.structs.replace(spent_by(session), seconds=seconds)


# ── tokens and cost ───────────────────────────────────────────────────────────────────────────


@contextmanager
def reserved(turn: "Turn", request: ModelRequest) -> Iterator[ModelRequest]:
    """The call with what it may use set aside in every budget around it; where little is left, it
    is asked for a shorter answer. Raises BudgetExceeded where nothing worthwhile fits."""
    scopes = _scopes(turn)
    if not scopes:
        yield request
        return
    known = _input_tokens(request)
    wanted = request.max_output or OUTPUT_LIMIT
    output = min([wanted, *(_output_that_fits(s, request, known, wanted) for s in scopes)])
    use = _use(request, known, output)
    _reserve(turn, use.tokens, use.cost)
    try:
        yield msgspec.structs.replace(request, max_output=output)
    finally:
        _reserve(turn, -use.tokens, -use.cost)


def cut_short(turn: "Turn", request: ModelRequest, asked: ModelRequest) -> BudgetExceeded | None:
    """What an answer means that ended at its limit: the budget's, where that was the lower one."""
    if (asked.max_output or 0) >= (request.max_output or OUTPUT_LIMIT):
        return None
    known, wanted = _input_tokens(request), request.max_output or OUTPUT_LIMIT
    for scope in _scopes(turn):
        resource = "cost" if scope.limits.cost is not None else "tokens"
        if scope.room(resource) is not None:
            return scope.exceeded(resource, float(getattr(_use(request, known, wanted), resource)))
    return None


def _output_that_fits(scope: _Scope, request: ModelRequest, known: int, wanted: int) -> int:
    """Tokens of the longest answer within a budget. Raises BudgetExceeded."""
    fits = wanted
    for resource in ("tokens", "cost"):
        room = scope.room(resource)
        if room is None:
            continue
        base = getattr(_use(request, known, 0), resource)
        most = getattr(_use(request, known, wanted), resource)
        least = min(LEAST_OUTPUT, wanted)
        needed = getattr(_use(request, known, least), resource)
        if needed > room or room <= 0 < most:
            raise scope.exceeded(resource, needed)
        if most > room:
            fits = min(fits, int(wanted * (room - base) / (most - base)))
    return fits


def _use(request: ModelRequest, known: int, output: int) -> BudgetUse:
    output += _thinking(request.options)
    tokens = Tokens(input=known, output=output, reasoning=0, cache=CacheTokens(read=0, write=0))
    return _used(known + output, cost_of(tokens, request.model.cost))


def _thinking(options: dict[str, Any]) -> int:
    """Tokens of thinking that some wires add to the answer's limit."""
    for name in ("thinking", "reasoningConfig"):
        option = options.get(name)
        if isinstance(option, dict) and isinstance(option.get("budgetTokens"), int):
            return int(option["budgetTokens"])
    return 0


def _input_tokens(request: ModelRequest) -> int:
    """What a request counts as, roughly: nobody has counted it yet."""
    text = media = 0
    for message in request.messages:
        for block in message.content:
            if isinstance(block, TextBlock | ReasoningBlock):
                text += len(block.text)
            elif isinstance(block, ToolCallBlock):
                text += len(msgspec.json.encode(block.arguments))
            elif isinstance(block, ToolResultBlock):
                text += len(block.output)
                media += len(block.media)
            elif isinstance(block, MediaBlock):
                media += 1
    for tool in request.tools:
        text += len(tool.description) + len(msgspec.json.encode(tool.parameters))
    return estimate(text) + media * MEDIA_TOKENS


def _reserve(turn: "Turn", tokens: int, cost: float) -> None:
    for session, active in _chain(turn):
        if active is not None and active.allowance is not None:
            held = active.allowance.reserved
            active.allowance.reserved = _used(held.tokens + tokens, held.cost + cost)
        if session.budget is not None:
            held = session.budget.reserved
            left = _used(max(0, held.tokens + tokens), max(0.0, held.cost + cost))
            settle(turn, session, active, left if left.tokens else NOTHING_USED)


def settle(
    turn: "Turn", session: Session, active: "Turn | None", reserved: BudgetUse | None = None
) -> None:
    """Write down what a session with a budget has spent by now, and what is reserved."""
    if session.budget is None:
        return
    budget = msgspec.structs.replace(
        session.budget,
        spent=_spent(session, active),
        reserved=session.budget.reserved if reserved is None else reserved,
    )
    turn.instance.store.sessions.save(msgspec.structs.replace(session, budget=budget))


# ── time ──────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def time_limit(turn: "Turn") -> AsyncIterator[None]:
    """As much time as every budget leaves. Raises BudgetExceeded when it is over, having cancelled
    what went on."""
    timed = [s for s in _scopes(turn) if s.limits.seconds is not None]
    if not timed:
        yield
        return
    tightest = min(timed, key=lambda s: s.room("seconds") or 0)
    left = tightest.room("seconds") or 0
    if left <= 0:
        raise tightest.exceeded("seconds", 0)
    limit = asyncio.timeout(left)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        spent = msgspec.structs.replace(tightest.spent, seconds=tightest.limits.seconds or 0)
        raise msgspec.structs.replace(tightest, spent=spent).exceeded("seconds", 0) from None
