"""Messages on a pipe: a header with the length, an empty line, JSON (LSP 3.17, base protocol)."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

Message = dict[str, Any]

MAX_MESSAGE = 64 << 20
"""Bytes of one message."""
MAX_NOISE = 64 << 10
"""Bytes that may come before a header: servers print to their output by mistake."""

_LENGTH = re.compile(rb"Content-Length:[ \t]*(\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"


class FramingError(Exception):
    """What came can be no message, and nothing after it can be told apart."""


def encode(message: Message) -> bytes:
    body = msgspec.json.encode(message)
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Decoder:
    """Bytes as they come, into messages. What is no JSON object is left out."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._length: int | None = None  # of the body that is being read

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that ``data`` completes. Raises FramingError."""
        self._data += data
        while (body := self._body()) is not None:
            try:
                message = msgspec.json.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if isinstance(message, dict):
                yield message

    def _body(self) -> bytes | None:
        while self._length is None:
            end = self._data.find(_END)
            if end < 0:
                if len(self._data) > MAX_NOISE:
                    raise FramingError(f"no message header within {MAX_NOISE} bytes")
                return None
            found = _LENGTH.findall(self._data, 0, end)
            del self._data[: end + len(_END)]
            self._length = _checked(found[-1]) if found else None
        if len(self._data) < self._length:
            return None
        body = bytes(self._data[: self._length])
        del self._data[: self._length]
        self._length = None
        return body


def _checked(digits: bytes) -> int:
    # The digits are counted first: Python refuses to read thousands of them.
    if len(digits) > len(str(MAX_MESSAGE)) or int(digits) > MAX_MESSAGE:
        raise FramingError(f"a message is longer than {MAX_MESSAGE} bytes")
    return int(digits)
