"""The bus: one bounded log of recent events, read by any number of subscribers.

A subscriber is a position in the log, so a slow one costs nothing and slows nobody; when the log
has moved past it, it is told how much it missed (a gap) and goes on from there. Events are encoded
once, when the first subscriber needs them.

Order is the server's: every event has a ``position``, and ``seq``, the store's sequence number of
the last durable change at that moment. Together they are the cursor a client resumes from.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from itertools import islice

import msgspec

from ostler import ids
from ostler.schema.event import Properties

_encode = msgspec.json.Encoder().encode

BOOT = os.urandom(4).hex()
"""Names this process's log: positions of another process mean nothing here."""


class Location(msgspec.Struct, frozen=True):
    """Where an event happened. ``directory`` None: it concerns no directory (global)."""

    directory: str | None = None
    project: str | None = None


GLOBAL = Location()


class Event:
    """One event. ``json`` is the ``{id, type, properties}`` object, encoded on first use.
    ``size`` is about how many bytes it keeps alive."""

    __slots__ = (
        "_json",
        "_properties_json",
        "id",
        "location",
        "position",
        "properties",
        "seq",
        "size",
    )

    def __init__(
        self,
        properties: Properties,
        location: Location,
        properties_json: bytes | None = None,
        size: int = 0,
    ) -> None:
        self.id = ids.new("evt")
        self.properties = properties
        self.location = location
        self.seq = 0
        self.position = 0
        # Itself, and its JSON twice: as properties and as the whole object.
        self.size = 1024 + 2 * max(size, len(properties_json or b""))
        self._properties_json = properties_json
        self._json: bytes | None = None

    @property
    def kind(self) -> str:
        return self.properties.kind

    @property
    def properties_json(self) -> bytes:
        if self._properties_json is None:
            self._properties_json = _encode(self.properties)
        return self._properties_json

    @property
    def json(self) -> bytes:
        if self._json is None:
            self._json = b'{"id":"%b","type":"%b","properties":%b}' % (
                self.id.encode(),
                self.kind.encode(),
                self.properties_json,
            )
        return self._json

    @property
    def cursor(self) -> str:
        """What a client sends back as Last-Event-ID: ``<seq>.<boot>.<position>``."""
        return f"{self.seq}.{BOOT}.{self.position}"


class Cursor(msgspec.Struct, frozen=True):
    """A parsed Last-Event-ID; ``position`` is None when it names another process's log."""

    seq: int
    position: int | None


def parse_cursor(text: str) -> Cursor | None:
    """None when the text is no cursor of ours."""
    fields = text.strip().split(".")
    if len(fields) != 3 or not (fields[0].isdecimal() and fields[2].isdecimal()):
        return None
    return Cursor(int(fields[0]), int(fields[2]) if fields[1] == BOOT else None)


class Batch(msgspec.Struct, frozen=True):
    """What a subscriber gets at once. ``dropped`` events were lost just before ``events``."""

    events: list[Event]
    dropped: int = 0


class Bus:
    """``listened`` and ``idle`` bound the log, in bytes, with and without subscribers."""

    def __init__(self, listened: int = 6 * 2**20, idle: int = 2**20) -> None:
        self._listened, self._idle = listened, idle
        self._log: deque[Event] = deque()
        self._size = 0
        self._next = 1
        self._seq = 0
        self._subscriptions: set[Subscription] = set()
        self._hold: Callable[[Event], bool] = lambda _event: False

    @property
    def start(self) -> int:
        """The position of the oldest event still in the log."""
        return self._next - len(self._log)

    @property
    def end(self) -> int:
        """The position the next event will get."""
        return self._next

    @property
    def audience(self) -> int:
        """How many read."""
        return len(self._subscriptions)

    def hold_with(self, hold: Callable[[Event], bool]) -> None:
        """Let the store hold events back until what precedes them is committed: ``hold`` takes an
        event and answers whether it kept it, to ``release`` it later."""
        self._hold = hold

    def publish(self, properties: Properties, location: Location = GLOBAL, size: int = 0) -> None:
        """Put a live event in the log, after everything published or stored before it; ``size``
        is about how many bytes its properties hold, where that is more than a few."""
        event = Event(properties, location, size=size)
        if not self._hold(event):
            self.release(event)

    def release(self, event: Event, seq: int | None = None) -> None:
        """Append an event; ``seq`` is the store's number when the event is a durable change."""
        if seq is not None:
            self._seq = max(self._seq, seq)
        event.seq = self._seq
        event.position = self._next
        self._next += 1
        self._log.append(event)
        self._size += event.size
        self._trim(self._listened if self._subscriptions else self._idle)
        for subscription in self._subscriptions:
            subscription.wake()

    def set_seq(self, seq: int) -> None:
        """Tell the bus how far the store had got when this process opened it."""
        self._seq = max(self._seq, seq)

    def subscribe(self, directory: str | None = None, after: int | None = None) -> "Subscription":
        """Read events from now on, or those after position ``after`` that the log still has;
        ``directory`` limits them to that directory's."""
        subscription = Subscription(self, directory, self._next if after is None else after + 1)
        self._subscriptions.add(subscription)
        return subscription

    def _read(self, position: int, most: int | None) -> tuple[list[Event], int]:
        missed = max(0, self.start - position)
        skip = max(0, position - self.start)
        there = max(0, len(self._log) - skip)
        wanted = there if most is None else min(there, most)
        if skip <= there:  # walk from the nearer end: a deque has no way to its middle
            return list(islice(self._log, skip, skip + wanted)), missed
        found = list(islice(reversed(self._log), there - wanted, there))
        found.reverse()
        return found, missed

    def _remove(self, subscription: "Subscription") -> None:
        self._subscriptions.discard(subscription)
        if not self._subscriptions:
            self._trim(self._idle)

    def _trim(self, limit: int) -> None:
        while self._size > limit and self._log:
            self._size -= self._log.popleft().size


class Subscription:
    """A reader of the bus; close it when done (it is a context manager)."""

    def __init__(self, bus: Bus, directory: str | None, position: int) -> None:
        self._bus, self._directory, self._position = bus, directory, position
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._closed = True
        self._bus._remove(self)
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def behind(self) -> bool:
        """Whether there is more to take."""
        return self._position < self._bus.end

    def take(self, most: int | None = None) -> Batch:
        """What has come since the last call, perhaps nothing; ``most`` events of it. What is not
        taken yet may be dropped, what is taken stays in memory as long as the batch does."""
        events, dropped = self._bus._read(self._position, most)
        self._position += dropped + len(events)
        if self._directory is not None:
            events = [e for e in events if e.location.directory == self._directory]
        return Batch(events, dropped)

    async def next(self, timeout: float | None = None, most: int | None = None) -> Batch:
        """Wait for events, ``most`` at once. An empty batch: ``timeout`` seconds passed, or the
        reader was closed."""
        loop = asyncio.get_running_loop()
        until = None if timeout is None else loop.time() + timeout
        while not self._closed:
            batch = self.take(most)
            if batch.events or batch.dropped:
                return batch
            if self.behind:
                continue
            self._waiter = loop.create_future()
            timer = None if until is None else loop.call_at(until, self.wake)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
            if until is not None and loop.time() >= until:
                return self.take(most)
        return Batch([])
