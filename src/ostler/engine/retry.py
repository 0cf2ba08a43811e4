"""When a failed model call is tried again, and after how long."""

import random

from ostler.models.failure import ModelFailure
from ostler.schema.config import RetryConfig

MAX_RETRIES = 5
FIRST_DELAY = 2.0
LONGEST_DELAY = 30.0
LONGEST_REQUESTED_DELAY = 600.0
"""Seconds: a provider that asks for more than this is not waited for."""
JITTER = 0.25


NORMAL = RetryConfig()


def delay_before(
    attempt: int, failure: ModelFailure, config: RetryConfig | None = None
) -> float | None:
    """Seconds to wait before retry ``attempt`` (1, 2, …); None: do not retry.

    What the provider asks for, else 2 s doubling with up to 25 % jitter, at most 30 s
    (OpenCode 1.18); ``retry`` in opencode.json sets the number of attempts and the first delay.
    """
    config = config or NORMAL
    most = MAX_RETRIES if config.attempts is None else config.attempts
    if not failure.retryable or attempt > most:
        return None
    if failure.retry_after is not None:
        return failure.retry_after if failure.retry_after <= LONGEST_REQUESTED_DELAY else None
    first = config.delay / 1000 if config.delay else FIRST_DELAY
    delay = first * float(2 ** (attempt - 1))
    return min(LONGEST_DELAY, delay * (1 + random.random() * JITTER))
