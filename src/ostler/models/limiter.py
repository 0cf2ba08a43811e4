"""How many calls go to one model of one account at once, and not before it takes calls again.

One limiter a process, shared by every session. It holds calls back while the provider has asked to
be left alone; ``maxConcurrency`` among a provider's options also bounds the calls that run, and
adapts: halved by each refusal, one more after as many successes as there are places.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ostler.models.exchange import api_key
from ostler.models.failure import ModelFailure
from ostler.models.request import ModelRequest

LONGEST_HOLD = 600.0
"""Seconds: a provider that asks for more fails its calls instead of holding them back."""
REFUSALS = ("rate_limited", "overloaded")
Key = tuple[str, str, str]


class _Gate:
    """``free_at``: the loop's time before which nothing is sent; ``limit``: calls at once, None
    where nobody set a limit."""

    def __init__(self) -> None:
        self.free_at = 0.0
        self.limit: int | None = None
        self.running = self.waiting = self.successes = 0
        self.changed = asyncio.Event()

    def configure(self, most: int | None) -> None:
        if most is None or self.limit is None or self.limit > most:
            self.limit = most

    def is_idle(self, most: int | None) -> bool:
        """Whether forgetting it forgets nothing."""
        held = self.free_at > asyncio.get_running_loop().time()
        return not (self.running or self.waiting or held) and self.limit == most

    def refused(self, failure: ModelFailure) -> None:
        if failure.retry_after is not None and failure.retry_after <= LONGEST_HOLD:
            now = asyncio.get_running_loop().time()
            self.free_at = max(self.free_at, now + failure.retry_after)
        if self.limit is not None:
            self.limit = max(1, self.limit // 2)
        self.successes = 0

    def succeeded(self, most: int | None) -> None:
        self.successes += 1
        if self.limit is not None and most is not None and self.successes >= self.limit:
            self.limit, self.successes = min(most, self.limit + 1), 0


class Limiter:
    def __init__(self) -> None:
        self._gates: dict[Key, _Gate] = {}

    def held_for(self, request: ModelRequest) -> float:
        """Seconds until the provider takes calls of this kind again."""
        gate = self._gates.get(_key(request))
        if gate is None:
            return 0.0
        return max(0.0, gate.free_at - asyncio.get_running_loop().time())

    @asynccontextmanager
    async def place(self, request: ModelRequest) -> AsyncIterator[None]:
        """A place among the calls that run, once there is one. What the call came to is learnt
        from: ModelFailure passes through."""
        most, key = _most(request), _key(request)
        gate = self._gates.setdefault(key, _Gate())
        gate.configure(most)
        gate.waiting += 1
        try:
            await self._wait(gate)
        finally:
            gate.waiting -= 1
        gate.running += 1
        try:
            yield
            gate.succeeded(most)
        except ModelFailure as e:
            if e.kind in REFUSALS:
                gate.refused(e)
            raise
        finally:
            gate.running -= 1
            gate.changed.set()
            if gate.is_idle(most) and self._gates.get(key) is gate:
                del self._gates[key]  # keys that are renewed would pile up

    @staticmethod
    async def _wait(gate: _Gate) -> None:
        loop = asyncio.get_running_loop()
        while True:
            held = gate.free_at - loop.time()
            if held > 0:
                await asyncio.sleep(held)
            elif gate.limit is not None and gate.running >= gate.limit:
                gate.changed.clear()
                await gate.changed.wait()
            else:
                return


def _most(request: ModelRequest) -> int | None:
    value = request.provider.options.get("maxConcurrency")
    return value if isinstance(value, int) and value is not True and value > 0 else None


def _key(request: ModelRequest) -> Key:
    return request.provider.id, api_key(request), request.model.api.id
