"""When a failed model call is tried again, and after how long."""

import random
import time

from ostler.models.failure import ModelFailure
from ostler.schema.config import RetryConfig

MAX_RETRIES = 8
FIRST_DELAY = 2.0
LONGEST_DELAY = 30.0
LONGEST_REQUESTED_DELAY = 600.0
"""Seconds: a provider that asks for more than this is not waited for."""
LONGEST_TOTAL = 1800.0
"""Seconds from the first failure within which a last attempt may begin."""
BEFORE_FALLBACK = 2
JITTER = 0.25


class Retries:
    """Of one call: how often it was tried again, and since when."""

    def __init__(self, config: RetryConfig | None = None) -> None:
        config = config or RetryConfig()
        self._most = MAX_RETRIES if config.attempts is None else config.attempts
        before = BEFORE_FALLBACK if config.beforeFallback is None else config.beforeFallback
        self._before_fallback = before
        self._first = config.delay / 1000 if config.delay else FIRST_DELAY
        self._total = config.total / 1000 if config.total else LONGEST_TOTAL
        self._began: float | None = None
        self.attempt = 0

    def delay(self, failure: ModelFailure, has_fallback: bool = False) -> float | None:
        """Seconds to wait before the next attempt; None: there is none.

        What the provider asks for, else 2 s doubling with up to 25 % jitter, at most 30 s
        (OpenCode 1.18, which tries five times).
        """
        now = time.monotonic()
        if self._began is None:
            self._began = now
        most = min(self._most, self._before_fallback) if has_fallback else self._most
        self.attempt += 1
        if not failure.retryable or self.attempt > most:
            return None
        delay = self._wanted(failure)
        if delay is None or now + delay > self._began + self._total:
            return None
        return delay

    def start_anew(self) -> None:
        """For another model."""
        self.attempt, self._began = 0, None

    def _wanted(self, failure: ModelFailure) -> float | None:
        if failure.retry_after is not None:
            asked = failure.retry_after
            return asked if asked <= LONGEST_REQUESTED_DELAY else None
        delay = self._first * float(2 ** (self.attempt - 1))
        return min(LONGEST_DELAY, delay * (1 + random.random() * JITTER))
