"""Cassettes: what models were asked and what they said, written down, and played back for nothing.

A cassette is a file of JSON lines: a head, then one exchange a line, ``{request, deltas}`` with
``failure`` where it ended in one. What is different in every run (directories, the date, ids of
sessions) is replaced in requests, so that a cassette plays anywhere and on another day.
"""

import os
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Protocol, get_args

import msgspec

from ostler.models import failure
from ostler.models.delta import Delta
from ostler.models.request import ModelRequest
from ostler.schema.errors import BadRequest, MessageError

FORMAT = 1
_DELTAS = {each.__name__: each for each in get_args(Delta)}
_ID = re.compile(r"\b(ses|msg|prt|tool)_[0-9A-Za-z]{12,}")
_DATE = re.compile(r"Today's date: \w{3} \w{3} \d{2} \d{4}")
_SHOWN = 120
"""Characters of a text that an error shows."""

Json = dict[str, Any]


class Stream(Protocol):
    def __call__(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]: ...


class Tape(Protocol):
    """Between the engine and the wires. ``plays``: no provider is asked; ``model``: the first that
    was, as provider/model."""

    plays: bool
    model: str

    def through(
        self, request: ModelRequest, stream: Stream
    ) -> AsyncGenerator[list[Delta], None]: ...


class _Head(msgspec.Struct):
    cassette: int


class _Failure(msgspec.Struct):
    kind: failure.Kind
    error: MessageError
    retry_after: float | None = None


class Exchange(msgspec.Struct, omit_defaults=True):
    request: Json
    deltas: list[list[tuple[str, Json]]] = []
    failure: _Failure | None = None


class Recorder:
    """Writes every exchange to a file that only its owner can read. Raises BadRequest where that
    cannot be made."""

    plays, model = False, ""

    def __init__(self, path: str) -> None:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._file = os.fdopen(os.open(path, flags, 0o600), "wb")
        except OSError as e:
            raise BadRequest(f"--record {path}: {e.strerror}") from None
        self._write(_Head(FORMAT))

    async def through(
        self, request: ModelRequest, stream: Stream
    ) -> AsyncGenerator[list[Delta], None]:
        exchange = Exchange(described(request))
        try:
            async with aclosing(stream(request)) as batches:
                async for batch in batches:
                    named = [(type(d).__name__, msgspec.to_builtins(d)) for d in batch]
                    exchange.deltas.append(named)
                    yield batch
        except failure.ModelFailure as e:
            exchange.failure = _Failure(e.kind, e.error, e.retry_after)
            raise
        finally:
            self._write(exchange)

    def _write(self, value: Any) -> None:
        self._file.write(msgspec.json.encode(value) + b"\n")
        self._file.flush()


class Player:
    """Answers from a file; no provider is asked. Raises BadRequest where it is no cassette."""

    plays = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._left = list(_read(path))
        self._recorded = len(self._left)
        self.model = next((str(e.request["model"]) for e in self._left), "")

    async def through(
        self, request: ModelRequest, stream: Stream
    ) -> AsyncGenerator[list[Delta], None]:
        asked = described(request)
        exchange = next((e for e in self._left if e.request == asked), None)
        if exchange is None:
            raise failure.invalid_request(self._misfit(asked))
        self._left.remove(exchange)
        for batch in exchange.deltas:
            yield [msgspec.convert(fields, _DELTAS[name]) for name, fields in batch]
        if exchange.failure is not None:
            said = exchange.failure
            raise failure.ModelFailure(said.kind, said.error, said.retry_after)

    def _misfit(self, asked: Json) -> str:
        """Which request is not on the cassette, and what is different in it."""
        number = self._recorded - len(self._left) + 1
        where = f"The replay of {self._path} ends at request {number}"
        if not self._left:
            return f"{where}: only {self._recorded} were recorded."
        nearest = max(self._left, key=lambda e: _likeness(e.request, asked))
        what, recorded, now = next(_differences(nearest.request, asked))
        return f"{where}: {what} is different. Recorded: {recorded} Now: {now}"


def _read(path: str) -> Iterator[Exchange]:
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError as e:
        raise BadRequest(f"--replay {path}: {e.strerror}") from None
    try:
        head = msgspec.json.decode(lines[0] if lines else b"", type=_Head)
    except msgspec.DecodeError:
        raise BadRequest(f"--replay {path}: this is no cassette") from None
    if head.cassette != FORMAT:
        raise BadRequest(f"--replay {path}: format {head.cassette}; this Ostler reads {FORMAT}")
    for number, line in enumerate(lines[1:], 2):
        try:
            yield msgspec.json.decode(line, type=Exchange)
        except msgspec.DecodeError as e:
            raise BadRequest(f"--replay {path}: line {number}: {e}") from None


# ── requests ──────────────────────────────────────────────────────────────────────────────────


def described(request: ModelRequest) -> Json:
    """A request as a cassette has it: what the model was asked, without keys and addresses, and
    without what is different in every run."""
    plain = {
        "model": f"{request.model.providerID}/{request.model.id}",
        "messages": [
            {"role": m.role, "content": [_block(b) for b in m.content]} for m in request.messages
        ],
        "tools": [msgspec.to_builtins(tool) for tool in request.tools],
        "tool_choice": request.tool_choice,
        "max_output": request.max_output,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "options": request.options,
    }
    text = msgspec.json.encode(plain).decode()
    for place, name in _places(request):
        text = text.replace(place, name)
    text = _DATE.sub("Today's date: <date>", text)
    decoded: Json = msgspec.json.decode(_ID.sub(r"<\1>", text))
    return decoded


def _block(block: Any) -> Json:
    return {"type": type(block).__struct_config__.tag, **msgspec.to_builtins(block)}


def _places(request: ModelRequest) -> list[tuple[str, str]]:
    """Paths of this run and their names, as they stand in JSON; the longest first."""
    named = {path: f"<directory{i or ''}>" for i, path in enumerate(request.places)}
    home = os.path.expanduser("~")
    if len(home) > 1:
        named.setdefault(home, "<home>")
    escaped = [(msgspec.json.encode(p).decode()[1:-1], n) for p, n in named.items() if len(p) > 1]
    return sorted(escaped, key=lambda pair: -len(pair[0]))


# ── differences ───────────────────────────────────────────────────────────────────────────────


def _likeness(recorded: Json, asked: Json) -> tuple[int, int]:
    """How many messages from the beginning are the same, and how many fields."""
    same = 0
    for before, now in zip(recorded["messages"], asked["messages"], strict=False):
        if before != now:
            break
        same += 1
    return same, sum(recorded[name] == asked[name] for name in asked)


def _differences(recorded: Json, asked: Json) -> Iterator[tuple[str, str, str]]:
    """(what, as recorded, as it is now) of each difference, the smallest part that has it."""
    for name in ("model", "options", "tool_choice", "max_output", "temperature", "top_p"):
        if recorded[name] != asked[name]:
            yield name, _shown(recorded[name]), _shown(asked[name])
    tools = ({t["name"]: t for t in side["tools"]} for side in (recorded, asked))
    before, now = tools
    for name in [*before, *(n for n in now if n not in before)]:
        if before.get(name) != now.get(name):
            yield f"the tool {name}", *_texts(before.get(name), now.get(name))
    yield from _message_differences(recorded["messages"], asked["messages"])
    yield "the order of the tools", _shown(list(before)), _shown(list(now))


def _message_differences(
    recorded: Sequence[Json], asked: Sequence[Json]
) -> Iterator[tuple[str, str, str]]:
    for index in range(max(len(recorded), len(asked))):
        before = recorded[index]["content"] if index < len(recorded) else []
        now = asked[index]["content"] if index < len(asked) else []
        for position in range(max(len(before), len(now))):
            one = before[position] if position < len(before) else None
            other = now[position] if position < len(now) else None
            if one != other:
                block = other or one or {}
                role = (asked[index] if index < len(asked) else recorded[index])["role"]
                what = f"messages[{index}].content[{position}] ({role}, {block['type']}"
                what += f" of {block['name']})" if "name" in block else ")"
                yield what, *_texts(one, other)


def _texts(one: Any, other: Any) -> tuple[str, str]:
    """Two values from a little before the place where they part."""
    before, now = (msgspec.json.encode(v).decode() if v else "nothing" for v in (one, other))
    at = next(
        (i for i, (a, b) in enumerate(zip(before, now, strict=False)) if a != b),
        min(len(before), len(now)),
    )
    start = max(0, at - _SHOWN // 3)
    return _shown(before[start:], start > 0), _shown(now[start:], start > 0)


def _shown(value: Any, cut: bool = False) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return ("…" if cut else "") + (text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
