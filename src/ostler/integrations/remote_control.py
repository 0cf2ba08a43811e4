"""Calls for a terminal UI that asks for them (``GET /tui/control/next``) instead of following the
events."""

import asyncio
import time
from collections import deque
from typing import Any

import msgspec

LONGEST = 64
"""Calls kept for a UI that is slow to ask; the oldest go first."""
ATTENTION_SECONDS = 10.0
"""For how long after its last question a UI counts as there. Without one nothing is kept: a call is
meant for now."""


class Call(msgspec.Struct, frozen=True):
    path: str
    body: Any


class RemoteControl:
    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=LONGEST)
        self._news = asyncio.Event()
        self._waiting = 0
        self._asked = -ATTENTION_SECONDS

    def tell(self, path: str, body: Any) -> None:
        if self._waiting or time.monotonic() - self._asked < ATTENTION_SECONDS:
            self._calls.append(Call(path, body))
            self._news.set()
        else:
            self._calls.clear()

    async def next(self) -> Call:
        """The next call, however long that takes: each goes to one who asks."""
        self._waiting += 1
        try:
            while not self._calls:
                self._news.clear()
                await self._news.wait()
            return self._calls.popleft()
        finally:
            self._waiting -= 1
            self._asked = time.monotonic()
