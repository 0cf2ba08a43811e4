"""The brake: no new turn is begun on a disk that is nearly full.

A turn that runs out of disk loses what it did last. One that is refused loses nothing, and the
refusal says where there is too little room and what to do.
"""

import os
import time
from collections.abc import Callable, Sequence

import msgspec

from ostler.schema.errors import DiskLow

FREE = 256 * 2**20
"""Bytes that must be free, where nothing is configured; at most ``SHARE`` of a file system."""
SHARE = 20
"""A small file system counts as nearly full when less than 1/20 of it is free."""
LOOK_SECONDS = 1.0
"""How long it counts that there was room."""


class Room(msgspec.Struct, frozen=True):
    """What is free for us on the file system of ``path``, and how much has to be, in bytes."""

    path: str
    free: int
    needed: int


class Brake:
    """``folders`` are looked at, ``needed`` is the limit in bytes: None for the default, 0 for
    none."""

    def __init__(
        self,
        folders: Sequence[str],
        needed: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders, self._needed, self._clock = tuple(dict.fromkeys(folders)), needed, clock
        self._good_until = 0.0

    def check(self) -> None:
        """Raises DiskLow. Costs two system calls, once in ``LOOK_SECONDS``."""
        now = self._clock()
        if now < self._good_until:
            return
        low = self.low()
        if low is not None:
            raise DiskLow(low.path, low.free, low.needed)
        self._good_until = now + LOOK_SECONDS

    def look_again(self) -> None:
        """With the next check: something could not be written."""
        self._good_until = 0.0

    def low(self) -> Room | None:
        """The first folder without room."""
        if self._needed == 0:
            return None
        rooms = (room for folder in self._folders if (room := look(folder, self._needed)))
        return next((room for room in rooms if room.free < room.needed), None)


def look(folder: str, needed: int | None = None) -> Room | None:
    """None where there is nothing to be known: no such folder, or a file system without a size."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    if found.f_blocks == 0:
        return None
    if needed is None:
        needed = min(FREE, found.f_blocks * found.f_frsize // SHARE)
    return Room(folder, found.f_bavail * found.f_frsize, needed)
