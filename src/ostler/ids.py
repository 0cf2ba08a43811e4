"""Sortable identifiers in OpenCode's format.

An id is ``<prefix>_`` + 12 hex digits + 14 base62 characters. The hex digits are the low 48 bits of
``milliseconds * 4096 + counter``, so ids of one process sort in creation order; session ids carry
the bitwise complement, so that newer sessions sort first (OpenCode 1.18; its clients search lists
of records by id). Ostler itself never orders by id: the store's sequence does that.
"""

import os
import threading
import time
from typing import Literal

Prefix = Literal["ses", "msg", "prt", "per", "que", "pty", "evt", "wrk", "tool"]

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_TABLE = bytes(ord(_BASE62[i % 62]) for i in range(256))
_MASK = (1 << 48) - 1

_lock = threading.Lock()
_last = 0


def new(prefix: Prefix) -> str:
    """Return a fresh id, e.g. ``msg_1fbeee283001eBavRb0Wd3mL3g`` (prefix + 27 characters)."""
    stamp = _next_stamp()
    if prefix == "ses":
        stamp = ~stamp
    tail = os.urandom(14).translate(_RANDOM_TABLE).decode("ascii")
    return f"{prefix}_{stamp & _MASK:012x}{tail}"


def _next_stamp() -> int:
    """Milliseconds times 4096, always above the last one: a clock set back never reorders ids."""
    global _last
    with _lock:
        _last = max(_last + 1, (time.time_ns() // 1_000_000) << 12)
        return _last


def now_ms() -> int:
    """The wall clock in whole milliseconds since the epoch, the unit of every time on the wire."""
    return time.time_ns() // 1_000_000
