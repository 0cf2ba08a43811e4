"""Server-sent events, parsed from bytes as they arrive."""


class SSEParser:
    """``feed`` bytes, get the data of each event that they complete. ``limit`` bounds one event in
    bytes; a longer one raises ValueError."""

    media = "text/event-stream"

    def __init__(self, limit: int = 32 * 2**20) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._limit = limit

    def feed(self, chunk: bytes) -> list[bytes]:
        lines = (self._rest + chunk if self._rest else chunk).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > self._limit:
            raise ValueError(f"an event is longer than {self._limit} bytes")
        events: list[bytes] = []
        data = self._data
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and data:
                events.append(data[0] if len(data) == 1 else b"\n".join(data))
                data.clear()
        return events

    def close(self) -> list[bytes]:
        """The data of an event the stream ended in the middle of, if any."""
        events = self.feed(b"\n\n") if self._rest or self._data else []
        self._rest = b""
        return events
