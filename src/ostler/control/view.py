"""A run as plain data, for whoever shows it: the report, a table, a page.

Times are milliseconds since 1970, costs USD. Statuses are words; ``TONES`` says how they look.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from ostler.control.failures import Failure
from ostler.control.plan import Limits
from ostler.schema.base import JsonObject

Tone = Literal["good", "bad", "busy", "idle"]
TONES: dict[str, Tone] = {
    **dict.fromkeys(("passed", "succeeded", "completed", "done", "accepted"), "good"),
    **dict.fromkeys(("failed", "error", "rejected", "exhausted", "escalated", "cancelled"), "bad"),
    **dict.fromkeys(("running", "retrying", "checking"), "busy"),
}
"""What is not here (waiting, skipped, aborted, …) is ``idle``."""


class _View(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Tokens(_View, frozen=True):
    """``cache``: read from the provider's cache or written to it."""

    input: int = 0
    output: int = 0
    reasoning: int = 0
    cache: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.reasoning + self.cache


class RedView(_View, frozen=True):
    """A check on the commit that the stage began with, where it must fail."""

    exit: int | None
    seconds: float
    tree: str = ""
    output: str = ""


class CheckView(_View, frozen=True):
    """``exit``: None where the command did not end in time; ``tree``: the git tree that it ran on;
    ``flaky``: repeated, it passed and failed."""

    name: str
    command: str
    exit: int | None
    seconds: float
    tree: str = ""
    output: str = ""
    red: RedView | None = None
    flaky: bool = False

    @property
    def passed(self) -> bool:
        return self.exit == 0 and not self.flaky and (self.red is None or self.red.exit != 0)


class DiffView(_View, frozen=True):
    """``patch`` as ``git diff`` writes it."""

    file: str
    additions: int = 0
    deletions: int = 0
    patch: str = ""


class AttemptView(_View, frozen=True):
    """``text`` and ``value``: the answer; ``ended``: None while it goes on."""

    number: int
    status: str
    session: str = ""
    server: str = ""
    model: str = ""
    failure: Failure | None = None
    started: int | None = None
    ended: int | None = None
    tokens: Tokens = Tokens()
    cost: float = 0.0
    text: str = ""
    value: Any = None
    checks: list[CheckView] = []
    diff: list[DiffView] = []


class StageView(_View, frozen=True):
    """``item``: which one, of a stage that is carried out for each item of a list; as text."""

    name: str
    status: str
    item: str | None = None
    needs: list[str] = []
    attempts: list[AttemptView] = []


class RunView(_View, frozen=True):
    """``tokens`` and ``cost`` are all that the run spent, reviewers included; ``seen``: when it was
    looked at, of one that goes on."""

    id: str
    name: str
    status: str
    started: int
    ended: int | None = None
    seen: int | None = None
    inputs: JsonObject = {}
    tokens: Tokens = Tokens()
    cost: float = 0.0
    budget: Limits | None = None
    stages: list[StageView] = []


def tone(status: str) -> Tone:
    return TONES.get(status, "idle")


def added(all_tokens: Iterable[Tokens]) -> Tokens:
    """Their sum."""
    each = list(all_tokens)
    return Tokens(
        input=sum(t.input for t in each),
        output=sum(t.output for t in each),
        reasoning=sum(t.reasoning for t in each),
        cache=sum(t.cache for t in each),
    )
