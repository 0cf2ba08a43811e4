"""What can go wrong with an attempt: a closed list, and what the API says put into its words.

Every attempt ends in success or in exactly one of these, with the evidence beside it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from ostler.schema.base import JsonObject
from ostler.schema.session import StatusRetry

FailureKind = Literal[
    "pending_permission",
    "pending_question",
    "rate_limited",
    "provider_unavailable",
    "auth_failed",
    "context_overflow",
    "assistant_output_not_json",
    "assistant_output_missing_text_part",
    "timeout",
    "aborted",
    "budget_exceeded",
    "output_truncated",
    "empty_completion",
    "stuck",
    "server_unreachable",
    "check_failed",
    "contract_violation",
]
KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
NOT_THE_AGENTS: frozenset[FailureKind] = frozenset(
    ("rate_limited", "provider_unavailable", "auth_failed", "server_unreachable", "aborted")
)
"""Lost to the provider, the transport or the harness: they use up none of the agent's attempts."""


class Failure(msgspec.Struct, frozen=True):
    """``message`` is for a person; ``evidence`` is what was seen: ids, status codes, texts."""

    kind: FailureKind
    message: str
    evidence: JsonObject = {}


_BY_NAME: dict[str, FailureKind] = {
    "ProviderAuthError": "auth_failed",
    "ContextOverflowError": "context_overflow",
    "MessageOutputLengthError": "output_truncated",
    "MessageAbortedError": "aborted",
    "BudgetExceededError": "budget_exceeded",
    "StructuredOutputError": "assistant_output_not_json",
}
"""Names of errors on messages (the API's) that mean one thing alone."""
_BY_OWN_KIND: dict[str, FailureKind] = {
    "auth": "auth_failed",
    "quota": "auth_failed",
    "rate_limited": "rate_limited",
    "context_overflow": "context_overflow",
    "empty": "empty_completion",
    "content_filter": "empty_completion",
}
"""Kinds that Ostler's own errors carry (``data.metadata.kind``)."""
_LIMIT_WORDS = re.compile(r"rate.?limit|too many requests|\b429\b|asked for a pause")
"""The last are Ostler's own, where a whole provider rests."""
_OVERFLOW_WORDS = ("context length", "context window", "too many tokens", "prompt is too long")


def failure_of_error(error: Mapping[str, Any]) -> Failure:
    """Of an error as the API writes it: ``{name, data: {message, statusCode?, isRetryable?}}``."""
    name, data = str(error.get("name", "")), error.get("data") or {}
    message = str(data.get("message") or name or "the server named no reason")
    return Failure(_kind(name, data, message.lower()), message, {"error": dict(error)})


def failure_of_retry(status: StatusRetry) -> Failure:
    """Why a server is to ask a provider again: all that it tells is a message."""
    return failure_of_error({"name": "APIError", "data": {"message": status.message}})


def _kind(name: str, data: Mapping[str, Any], said: str) -> FailureKind:
    known = _BY_NAME.get(name)
    if known is not None:
        return known
    own = _BY_OWN_KIND.get(str((data.get("metadata") or {}).get("kind")))
    if own is not None:
        return own
    status = data.get("statusCode")
    if status in (401, 403):
        return "auth_failed"
    if status == 429 or _LIMIT_WORDS.search(said):
        return "rate_limited"
    if any(words in said for words in _OVERFLOW_WORDS):
        return "context_overflow"
    return "provider_unavailable"


def failure_of_message(
    info: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]
) -> Failure | None:
    """What an assistant message that is complete means, apart from what its text says; None: it has
    an answer. ``info`` and ``parts`` as ``GET /session/{id}/message`` has them."""
    if info.get("error"):
        return failure_of_error(info["error"])
    seen = {"messageID": info.get("id"), "finish": info.get("finish"), "tokens": info.get("tokens")}
    text = "".join(p.get("text", "") for p in parts if p.get("type") == "text")
    if info.get("finish") == "length":
        return Failure("output_truncated", "the answer was cut off by the output limit", seen)
    if text.strip() or info.get("structured") is not None:
        return None
    tokens = info.get("tokens") or {}
    if not tokens.get("output") and not any(p.get("type") == "tool" for p in parts):
        return Failure(
            "empty_completion", "the model answered nothing: check the provider and its proxy", seen
        )
    return Failure("assistant_output_missing_text_part", "the answer has no text", seen)
