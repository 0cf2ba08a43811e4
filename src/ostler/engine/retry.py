"""When a failed model call is tried again, and after how long."""

import random

from ostler.models.failure import ModelFailure

MAX_RETRIES = 5
FIRST_DELAY = 2.0
LONGEST_DELAY = 30.0
LONGEST_REQUESTED_DELAY = 600.0
"""Seconds: a provider that asks for more than this is not waited for."""
JITTER = 0.25


def delay_before(attempt: int, failure: ModelFailure) -> float | None:
    """Seconds to wait before retry ``attempt`` (1, 2, …); None: do not retry.

    What the provider asks for, else 2 s doubling with up to 25 % jitter, at most 30 s
    (OpenCode 1.18).
    """
    if not failure.retryable or attempt > MAX_RETRIES:
        return None
    if failure.retry_after is not None:
        return failure.retry_after if failure.retry_after <= LONGEST_REQUESTED_DELAY else None
    delay = FIRST_DELAY * float(2 ** (attempt - 1))
    return min(LONGEST_DELAY, delay * (1 + random.random() * JITTER))
