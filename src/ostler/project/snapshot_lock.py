"""The lock of a repository of snapshots, between processes. Who cleans up holds it too, and lets go
as soon as somebody waits: a turn comes first."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DEADLINE = 10.0
"""Seconds to wait for another process that works on the same snapshots."""


@contextmanager
def held(folder: str) -> Iterator[None]:
    """Wait for the lock and hold it. Blocks. Raises OSError at the deadline."""
    descriptor = _opened(folder)
    try:
        if not _taken(descriptor):
            _wait(folder, descriptor)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def held_if_free(folder: str) -> Iterator[bool]:
    """Hold the lock if nobody does; whether it is held."""
    descriptor = _opened(folder)
    try:
        yield _taken(descriptor)
    finally:
        os.close(descriptor)


def is_wanted(folder: str) -> bool:
    """Whether somebody waits for the lock. One who was killed while it waited counts until the
    deadline it had."""
    try:
        return time.time() - os.stat(_wanted(folder)).st_mtime < DEADLINE
    except OSError:
        return False


def files(folder: str) -> tuple[str, str]:
    """Those that belong to the lock."""
    return f"{folder}.lock", _wanted(folder)


def _wanted(folder: str) -> str:
    return f"{folder}.wanted"


def _opened(folder: str) -> int:
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    return os.open(f"{folder}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(folder: str, descriptor: int) -> None:
    deadline = time.monotonic() + DEADLINE
    with open(_wanted(folder), "wb"):
        pass
    try:
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                raise OSError(f"{folder}.lock was held for {DEADLINE:g} s")
            time.sleep(0.01)
    finally:
        with suppress(FileNotFoundError):  # another that waited too was first
            os.unlink(_wanted(folder))
