"""Credentials that are exchanged for a token before a call, and kept until it runs out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from ostler.models import failure
from ostler.transport import HttpRequest, Timeouts, Transport, TransportError, read_body

T = TypeVar("T")

MOST = 256
"""Tokens kept; the oldest go first."""
EARLY = 60.0
"""Seconds before its end from which on a token is not used any more."""
_TIMEOUTS = Timeouts(header=30.0, chunk=30.0, total=60.0)
_ANSWER_BYTES = 2**20


class Tokens:
    """By what they were exchanged for."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Any, float]] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def get(self, key: Hashable, fetch: Callable[[], Awaitable[tuple[T, float]]]) -> T:
        """What ``fetch`` gave, (value, seconds it lives), fetched anew once it has run out."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                value, until = self._kept.get(key, (None, 0.0))
                if until <= time.monotonic():
                    value, lives = await fetch()
                    self._kept.pop(key, None)
                    self._kept[key] = value, time.monotonic() + lives - EARLY
                    while len(self._kept) > MOST:
                        del self._kept[next(iter(self._kept))]
                kept: T = value
                return kept
        finally:
            if not lock.locked():
                self._locks.pop(key, None)

    @contextmanager
    def dropped_if_refused(self, key: Hashable) -> Iterator[None]:
        """A token that the provider refuses is not used again."""
        try:
            yield
        except failure.ModelFailure as e:
            if e.kind == "auth":
                self._kept.pop(key, None)
            raise


async def ask(
    transport: Transport,
    url: str,
    provider_id: str,
    *,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None = None,
    body: Any = None,
) -> Any:
    """The JSON answer to a form or a JSON body that is posted; to a GET without either. Raises
    ModelFailure."""
    data = b""
    sent = {"accept": "application/json", **headers}
    if form is not None:
        data = urlencode(form).encode()
        sent["content-type"] = "application/x-www-form-urlencoded"
    elif body is not None:
        data = msgspec.json.encode(body)
        sent["content-type"] = "application/json"
    method = "GET" if form is None and body is None else "POST"
    try:
        response = await transport.send(HttpRequest(url, sent, data, method, _TIMEOUTS))
        try:
            answer = await read_body(response, _ANSWER_BYTES)
        finally:
            await response.close()
    except TransportError as e:
        raise failure.from_transport(e) from None
    if not 200 <= response.status < 300:
        raise failure.from_response(response.status, response.headers, answer, url, provider_id)
    try:
        return msgspec.json.decode(answer)
    except msgspec.DecodeError as e:
        raise failure.bad_stream(f"{url} gave no JSON: {e}", url) from None


def field(answer: Any, name: str, url: str) -> Any:
    """A field of an answer. Raises ModelFailure that names it."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if value is None:
        raise failure.bad_stream(f"{url} answered without {name}", url)
    return value


shared = Tokens()
"""Of this process."""
