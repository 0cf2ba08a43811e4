"""The playbook: what is done about each kind of failure. Data, which a flow may override."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from ostler.control.failures import KINDS, NOT_THE_AGENTS, Failure, FailureKind

Action = Literal["retry", "backoff", "escalate", "stop"]
STUCK_AFTER = 3
"""The same failure in the same stage so many times running is ``stuck``."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``action``: ``retry`` in a new session, up to ``times``; ``backoff``: the same after a pause
    (what the provider asks for, else ``seconds``, doubled each time), then the next fallback model;
    ``escalate``: a person is needed; ``stop``: the run ends and says why. What is left when
    ``times`` are used up is ``then``. ``stricter``: the contract is said again, more strictly;
    ``summaries``: earlier artifacts are told in fewer words."""

    action: Action
    times: int = 1
    then: Literal["escalate", "stop"] = "escalate"
    seconds: float = 2.0
    stricter: bool = False
    summaries: bool = False


PLAYBOOK: Mapping[FailureKind, Rule] = {
    "assistant_output_not_json": Rule(action="retry", stricter=True),
    "contract_violation": Rule(action="retry", times=2),
    "assistant_output_missing_text_part": Rule(action="retry"),
    "empty_completion": Rule(action="retry"),
    "timeout": Rule(action="retry", times=2),
    "aborted": Rule(action="retry", times=3),
    "output_truncated": Rule(action="retry", summaries=True),
    "rate_limited": Rule(action="backoff", times=5, seconds=5.0),
    "provider_unavailable": Rule(action="backoff", times=5),
    "server_unreachable": Rule(action="backoff", times=8, seconds=1.0),
    "auth_failed": Rule(action="stop"),
    "context_overflow": Rule(action="retry", summaries=True),
    "budget_exceeded": Rule(action="stop"),
    "check_failed": Rule(action="retry", times=2),
    "pending_permission": Rule(action="escalate"),
    "pending_question": Rule(action="escalate"),
    "stuck": Rule(action="escalate"),
}
LONGEST_PAUSE = 300.0


class PolicyError(ValueError):
    """An override that is none; the message names the kind and the key."""


def playbook(overrides: Mapping[str, object]) -> dict[FailureKind, Rule]:
    """The rules of a flow. An override gives the keys that differ. Raises PolicyError."""
    rules = dict(PLAYBOOK)
    for kind, given in overrides.items():
        if kind not in KINDS:
            raise PolicyError(f"playbook.{kind}: no such failure; known are {', '.join(KINDS)}")
        if not isinstance(given, Mapping):
            raise PolicyError(f"playbook.{kind}: expected an object of rule keys")
        merged = {**msgspec.to_builtins(rules[kind]), **given}
        try:
            rules[kind] = msgspec.convert(merged, Rule)
        except msgspec.ValidationError as e:
            raise PolicyError(f"playbook.{kind}: {e}") from None
    return rules


class Step(msgspec.Struct, frozen=True):
    """What to do next. ``retry`` after ``pause`` seconds, perhaps with the next model; else the
    stage ends (``escalate`` or ``stop``)."""

    action: Literal["retry", "escalate", "stop"]
    failure: Failure
    pause: float = 0.0
    next_model: bool = False
    stricter: bool = False
    summaries: bool = False


def decide(
    failures: Sequence[Failure],
    rules: Mapping[FailureKind, Rule],
    *,
    attempts: int,
    has_fallback: bool,
) -> Step:
    """After the newest of ``failures`` (of one stage, oldest first). ``attempts`` are the agent's
    own that the stage may have."""
    failure = failures[-1]
    if _is_stuck(failures):
        said = f"{failure.kind} {STUCK_AFTER} times running: {failure.message}"
        return Step("escalate", Failure("stuck", said, failure.evidence))
    rule = rules[failure.kind]
    if rule.action in ("stop", "escalate"):
        return Step(rule.action, failure)
    same = sum(1 for f in failures if f.kind == failure.kind)
    own = sum(1 for f in failures if f.kind not in NOT_THE_AGENTS)
    if failure.kind not in NOT_THE_AGENTS and own >= attempts:
        return Step(rule.then, failure)
    if same > rule.times or _is_hopeless(failure):
        if has_fallback and rule.action == "backoff":
            return Step("retry", failure, next_model=True)
        return Step(rule.then, failure)
    pause = _pause(failure, rule, same) if rule.action == "backoff" else 0.0
    return Step("retry", failure, pause=pause, stricter=rule.stricter, summaries=rule.summaries)


def _is_hopeless(failure: Failure) -> bool:
    """Whether the provider has refused the request as such: the same one will be refused again."""
    data = (failure.evidence.get("error") or {}).get("data") or {}
    status = data.get("statusCode") or 0
    refused = data.get("isRetryable") is False and 400 <= status < 500
    return failure.kind == "provider_unavailable" and refused


def _is_stuck(failures: Sequence[Failure]) -> bool:
    last = failures[-STUCK_AFTER:]
    alike = len({(f.kind, f.message) for f in last}) == 1
    return len(last) == STUCK_AFTER and alike and last[0].kind not in NOT_THE_AGENTS


def _pause(failure: Failure, rule: Rule, same: int) -> float:
    asked = failure.evidence.get("retry_after")
    if isinstance(asked, int | float):
        return min(float(asked), LONGEST_PAUSE)
    return min(rule.seconds * 2.0 ** (same - 1), LONGEST_PAUSE)
