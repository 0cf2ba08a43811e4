"""What was spent, and whether that is more than may be."""

from collections.abc import Sequence

import msgspec

from ostler.control.failures import Failure
from ostler.control.plan import Limits
from ostler.schema.base import JsonObject
from ostler.schema.message import AssistantMessage, MessageWithParts


class Spent(msgspec.Struct, frozen=True):
    """``tokens`` are ``{input, output, reasoning, cache: {read, write}}``, ``cost`` USD."""

    tokens: JsonObject = {}
    cost: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(_added(self.tokens, other.tokens), self.cost + other.cost)

    @property
    def total(self) -> int:
        """Tokens, of every kind."""
        cache = self.tokens.get("cache") or {}
        kinds = (self.tokens.get(kind, 0) for kind in ("input", "output", "reasoning"))
        return int(sum(kinds) + sum(cache.values()))

    def over(self, limits: Limits) -> Failure | None:
        evidence = {"tokens": self.tokens, "cost": self.cost}
        if limits.tokens is not None and self.total > limits.tokens:
            message = f"{self.total} tokens were used of {limits.tokens}"
            return Failure("budget_exceeded", message, evidence)
        if limits.cost is not None and self.cost > limits.cost:
            message = f"${self.cost:.4f} were spent of ${limits.cost:.4f}"
            return Failure("budget_exceeded", message, evidence)
        return None


def spent(messages: Sequence[MessageWithParts]) -> Spent:
    """By a session, its subagents' left out."""
    total = Spent()
    for message in messages:
        if isinstance(message.info, AssistantMessage):
            total += Spent(msgspec.to_builtins(message.info.tokens), message.info.cost)
    return total


def _added(first: JsonObject, second: JsonObject) -> JsonObject:
    one, two = first.get("cache") or {}, second.get("cache") or {}
    total = {k: first.get(k, 0) + second.get(k, 0) for k in ("input", "output", "reasoning")}
    return {**total, "cache": {k: one.get(k, 0) + two.get(k, 0) for k in ("read", "write")}}
