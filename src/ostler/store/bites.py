"""Long work on the database in bites that nobody notices: the event loop serves between them."""

import asyncio
import time
from collections.abc import Callable

BITE = 0.002
"""Seconds a bite should take."""
PAUSE = 0.02
"""Seconds between two."""
LEAST, MOST = 4, 64
TRIES = 100
"""How often in a row a bite may find that it cannot be taken just now."""
Bite = Callable[[int], int | None]
"""Does so much at most and says how much it did: 0 when nothing is left, None when it could do
nothing just now."""


class Bites:
    """How much is done at once: as much as takes about ``BITE``. ``done`` is how much was done,
    ``longest`` the seconds of the longest bite."""

    def __init__(self) -> None:
        self.size, self.done, self.longest = LEAST, 0, 0.0

    def take(self, bite: Bite) -> int | None:
        began = time.perf_counter()
        done = bite(self.size)
        took = time.perf_counter() - began
        self.done, self.longest = self.done + (done or 0), max(self.longest, took)
        if took > BITE:
            self.size = max(LEAST, self.size // 2)
        elif took < BITE / 2:
            self.size = min(MOST, self.size * 2)
        return done


async def in_bites(bite: Bite) -> Bites:
    """Take bites until nothing is left, or it cannot be done now."""
    bites, tries = Bites(), 0
    while True:
        done = bites.take(bite)
        tries = 0 if done else tries + 1
        if done == 0 or tries > TRIES:
            return bites
        await asyncio.sleep(PAUSE)
