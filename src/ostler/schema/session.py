"""Sessions: one conversation of an agent in a directory."""

from typing import Annotated, Any

import msgspec

from ostler.schema.base import JsonObject, MessageID, NonNegative, Number, PartID, SessionID, Wire
from ostler.schema.permission import PermissionRuleset


class SnapshotFileDiff(Wire):
    """One file's change. ``patch`` is a unified diff; counts are lines."""

    additions: int
    deletions: int
    file: str | None = None
    patch: str | None = None
    status: str | None = None


class CacheTokens(Wire):
    read: int
    write: int


class Tokens(Wire):
    """``input`` excludes cache reads and writes; ``output`` excludes reasoning counted apart."""

    input: int
    output: int
    reasoning: int
    cache: CacheTokens
    total: int | None = None


NO_TOKENS = Tokens(input=0, output=0, reasoning=0, cache=CacheTokens(read=0, write=0))


def add_tokens(a: Tokens, b: Tokens) -> Tokens:
    """The sum, without a total: a session's totals are its own four counters."""
    return Tokens(
        input=a.input + b.input,
        output=a.output + b.output,
        reasoning=a.reasoning + b.reasoning,
        cache=CacheTokens(read=a.cache.read + b.cache.read, write=a.cache.write + b.cache.write),
    )


class SessionSummary(Wire):
    additions: int
    deletions: int
    files: int
    diffs: list[SnapshotFileDiff] | None = None


class SessionShare(Wire):
    url: str


class SessionModel(Wire):
    id: str
    providerID: str
    variant: str | None = None


class SessionTime(Wire):
    created: NonNegative
    updated: NonNegative
    compacting: NonNegative | None = None
    archived: Number | None = None


class SessionRevert(Wire):
    messageID: MessageID
    partID: PartID | None = None
    snapshot: str | None = None
    diff: str | None = None


class SessionSpend(Wire):
    """Cost (USD) and tokens of the subagents' sessions below this one; Ostler's addition."""

    cost: float
    tokens: Tokens


class Budget(Wire):
    """What may be used up: ``tokens`` (all that a provider counts, cache reads included), ``cost``
    (USD) and ``seconds`` of work; None: as much as it takes. Ostler's addition."""

    tokens: NonNegative | None = None
    cost: Annotated[float, msgspec.Meta(ge=0)] | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None


class BudgetUse(Wire):
    tokens: int
    cost: float
    seconds: float


NOTHING_USED = BudgetUse(tokens=0, cost=0, seconds=0)


class SessionBudget(Budget, kw_only=True):
    """``spent`` by the session and the subagents below it; ``reserved`` by calls that run now."""

    spent: BudgetUse
    reserved: BudgetUse


class Unattended(Wire):
    """How asks and questions are answered when nobody is there; Ostler's addition.

    ``permission``: what an ask becomes, ``deny`` (with ``message`` for the model) or ``allow``.
    ``question``: ``reject`` with the same message, or ``first``: the first option of each question.
    """

    permission: str = "deny"
    question: str = "reject"
    message: str | None = None

    def __post_init__(self) -> None:
        if self.permission not in ("deny", "allow"):
            raise ValueError("unattended.permission must be 'deny' or 'allow'")
        if self.question not in ("reject", "first"):
            raise ValueError("unattended.question must be 'reject' or 'first'")


class Session(Wire):
    id: SessionID
    slug: str
    projectID: str
    directory: str
    title: str
    version: str
    time: SessionTime
    workspaceID: str | None = None
    path: str | None = None
    parentID: SessionID | None = None
    summary: SessionSummary | None = None
    cost: float | None = None
    tokens: Tokens | None = None
    children: SessionSpend | None = None
    share: SessionShare | None = None
    agent: str | None = None
    model: SessionModel | None = None
    metadata: JsonObject | None = None
    permission: PermissionRuleset | None = None
    unattended: Unattended | None = None
    budget: SessionBudget | None = None
    revert: SessionRevert | None = None


class Todo(Wire):
    content: str
    status: str
    priority: str


class StatusIdle(Wire, tag="idle"):
    pass


class StatusBusy(Wire, tag="busy"):
    pass


class StatusAction(Wire):
    reason: str
    provider: str
    title: str
    message: str
    label: str
    link: str | None = None


class StatusRetry(Wire, tag="retry"):
    """``next`` is when the next attempt starts, ms since the epoch."""

    attempt: NonNegative
    message: str
    next: NonNegative
    action: StatusAction | None = None


SessionStatus = StatusIdle | StatusBusy | StatusRetry


class SessionCreateInput(Wire):
    """``parent_id`` is the spelling of older drivers."""

    parentID: SessionID | None = None
    parent_id: SessionID | None = None
    title: str | None = None
    agent: str | None = None
    model: SessionModel | None = None
    metadata: JsonObject | None = None
    permission: PermissionRuleset | None = None
    workspaceID: Annotated[str, msgspec.Meta(pattern="^wrk")] | None = None
    unattended: Unattended | bool | None = None
    budget: Budget | None = None


class SessionTimeInput(Wire):
    archived: Number | None = None


class SessionUpdateInput(Wire):
    title: str | None = None
    metadata: JsonObject | None = None
    permission: PermissionRuleset | None = None
    time: SessionTimeInput | None = None
    budget: Budget | None = None


class SessionForkInput(Wire):
    messageID: MessageID | None = None


class SessionRevertInput(Wire):
    messageID: MessageID
    partID: PartID | None = None


class SessionSummarizeInput(Wire):
    providerID: str
    modelID: str
    auto: bool | None = None


class SessionInitInput(Wire):
    providerID: str
    modelID: str
    messageID: MessageID


def merge(session: Session, **changes: Any) -> Session:
    """A copy with ``changes``."""
    return msgspec.structs.replace(session, **changes)
