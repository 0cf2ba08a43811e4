"""For callers without an event loop: one in a thread of its own does the work."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ostler.client.answers import Answer
    from ostler.client.events import Event, EventStream
    from ostler.client.turn import AnswerStream

T = TypeVar("T")
CLEAN_UP_SECONDS = 5.0


class LoopThread:
    """Started by the first ``run``. A forked child gets one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0

    @property
    def is_running(self) -> bool:
        return self._loop is not None and self._process == os.getpid()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result; an interrupt (Ctrl+C) cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._process != os.getpid():
                self._process = os.getpid()
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="ostler-client", daemon=True
                )
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """Cancel what runs, end the thread."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None or self._process != os.getpid():
            return
        try:
            asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result(CLEAN_UP_SECONDS)
        except NotYet:
            pass  # what does not end is left to the daemon thread
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLEAN_UP_SECONDS)
        if not thread.is_alive():
            loop.close()


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


class BlockingEvents:
    """An EventStream for a ``for`` loop. ``close`` may be called from another thread."""

    def __init__(self, stream: "EventStream", thread: LoopThread) -> None:
        self._stream, self._thread = stream, thread

    @property
    def cursor(self) -> str | None:
        """What a later stream can go on from (``last_event_id``)."""
        return self._stream.cursor

    def __enter__(self) -> "BlockingEvents":
        self._thread.run(self._stream.__aenter__())
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __iter__(self) -> "BlockingEvents":
        return self

    def __next__(self) -> "Event":
        try:
            return self._thread.run(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        self._thread.run(self._stream.aclose())


class BlockingAnswer:
    """An AnswerStream for a ``for`` loop."""

    def __init__(self, stream: "AnswerStream", thread: LoopThread) -> None:
        self._stream, self._thread = stream, thread

    @property
    def answer(self) -> "Answer":
        """There once the loop has ended. Raises RuntimeError before."""
        return self._stream.answer

    def __enter__(self) -> "BlockingAnswer":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __iter__(self) -> "BlockingAnswer":
        return self

    def __next__(self) -> str:
        try:
            return self._thread.run(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Stop reading; a turn that goes on is aborted."""
        self._thread.run(self._stream.aclose())
