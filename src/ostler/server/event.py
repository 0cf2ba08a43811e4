"""The event streams: of one directory, and of all.

Frames are ``id: <cursor>`` and ``data: <json>``. A client that reconnects with Last-Event-ID gets
what it missed: exactly, while the bus still has it; else a ``server.gap`` and the present state of
everything that changed since.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from ostler.events import GLOBAL, Batch, Bus, Event, Subscription, parse_cursor
from ostler.schema.event import (
    ServerConnected,
    ServerGap,
    ServerHeartbeat,
    ServerInstanceDisposed,
)
from ostler.server.asgi import Stream
from ostler.server.operation import Context, operation
from ostler.store import Store

PAUSE_PER_READER, LONGEST_PAUSE = 0.0002, 0.05
"""Seconds between two batches for a reader: 0.2 ms for one alone, 40 ms for each of 200."""
PIECE = 16 * 1024
"""Bytes handed over at once, about."""
EVENTS = 64
"""Events taken at once: a reader that does not read on keeps them in memory."""
HEARTBEAT_SECONDS = 10.0
_HEADERS = [
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
    ("x-content-type-options", "nosniff"),
]

Frame = Callable[[Event, bool], bytes]


@operation("GET /event", "event.subscribe", answer=object, answer_type="text/event-stream")
async def subscribe(context: Context) -> Stream:
    instance = await context.instance()
    return _stream(context, instance.directory, instance_frame)


@operation("GET /global/event", "global.event", answer=object, answer_type="text/event-stream")
async def subscribe_global(context: Context) -> Stream:
    return _stream(context, None, global_frame)


def _stream(context: Context, directory: str | None, frame: Frame) -> Stream:
    resume = context.request.headers.get("last-event-id")
    runtime = context.runtime
    chunks = _frames(runtime.bus, runtime.store, directory, frame, resume)
    return Stream(chunks, "text/event-stream", _HEADERS)


async def _frames(
    bus: Bus, store: Store, directory: str | None, frame: Frame, resume: str | None
) -> AsyncIterator[bytes]:
    yield frame(Event(ServerConnected(), GLOBAL), False)
    cursor = parse_cursor(resume) if resume else None
    exact = cursor is not None and cursor.position is not None and cursor.position >= bus.start - 1
    position = cursor.position if cursor is not None and exact else None
    with bus.subscribe(directory, after=position) as subscription:
        if cursor is not None and not exact:
            yield frame(Event(ServerGap(), GLOBAL), False)
            yield _replayed(store, cursor.seq, directory, frame)
        seq = cursor.seq if cursor is not None else 0
        async for batch in _batches(subscription, bus):
            if batch is None:
                yield frame(Event(ServerHeartbeat(), GLOBAL), False)
                continue
            if batch.dropped:
                yield frame(Event(ServerGap(dropped=batch.dropped), GLOBAL), False)
                yield _replayed(store, seq, directory, frame)
            if batch.events:
                seq = max(seq, batch.events[-1].seq)
                for piece in _pieces(batch.events, frame):
                    yield piece
                if directory is not None and _disposed(batch):
                    return


async def _batches(subscription: Subscription, bus: Bus) -> AsyncIterator[Batch | None]:
    """Batches as they come; None when a heartbeat is due.

    Once all are taken there is a pause that grows with the number of readers: what happens
    meanwhile is sent in one go, so that a large audience costs the turns little.
    """
    while True:
        batch = await subscription.next(HEARTBEAT_SECONDS, EVENTS)
        yield batch if batch.events or batch.dropped else None
        del batch
        if not subscription.behind:
            await asyncio.sleep(min(LONGEST_PAUSE, PAUSE_PER_READER * bus.audience))


def _pieces(batch: list[Event], frame: Frame) -> Iterator[bytes]:
    """The events' frames, some at a time: what is handed over at once stays in memory until a slow
    reader has taken it."""
    piece: list[bytes] = []
    size = 0
    for event in batch:
        framed = frame(event, True)
        piece.append(framed)
        size += len(framed)
        if size >= PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


def _replayed(store: Store, seq: int, directory: str | None, frame: Frame) -> bytes:
    return b"".join(frame(event, False) for event in store.replay.since(seq, directory))


def _disposed(batch: Batch) -> bool:
    return any(isinstance(e.properties, ServerInstanceDisposed) for e in batch.events)


def instance_frame(event: Event, cursor: bool) -> bytes:
    if cursor:
        return b"id: %b\ndata: %b\n\n" % (event.cursor.encode(), event.json)
    return b"data: %b\n\n" % event.json


def global_frame(event: Event, cursor: bool) -> bytes:
    """The event inside ``{directory, project, payload}``; a durable one twice, the second time as
    the reference's ``sync`` record."""
    place = _place(event)
    head = b"id: %b\n" % event.cursor.encode() if cursor else b""
    frame = b'%bdata: {%b"payload":%b}\n\n' % (head, place, event.json)
    if not event.properties.durable:
        return frame
    session = getattr(event.properties, "sessionID", "")
    sync = b'{"type":"sync","syncEvent":{"id":"%b","type":"%b.1","seq":%d,"aggregateID":"%b",' % (
        event.id.encode(),
        event.kind.encode(),
        event.seq,
        session.encode(),
    )
    return b'%bdata: {%b"payload":%b"data":%b}}}\n\n' % (
        frame,
        place,
        sync,
        event.properties_json,
    )


def _place(event: Event) -> bytes:
    location = event.location
    if location.directory is None:
        return b""
    from ostler.server.asgi import encode

    place = b'"directory":%b,' % encode(location.directory)
    if location.project is not None:
        place += b'"project":%b,' % encode(location.project)
    return place
