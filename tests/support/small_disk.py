"""A small file system of its own, where mounting one is permitted."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

RESERVE = "reserve"


@contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs at a fresh folder. Skips the test where it may not be mounted."""
    at.mkdir(parents=True)
    size = f"size={megabytes}m"
    mounting = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(at)]
    try:
        done = subprocess.run(mounting, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount program")
    if done.returncode != 0:
        pytest.skip(f"a file system may not be mounted here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill(folder: Path, leave: int = 0) -> None:
    """Write a file that leaves so many bytes."""
    found = os.statvfs(folder)
    room = found.f_bavail * found.f_frsize - leave
    with (folder / RESERVE).open("ab") as file:
        try:
            while room > 0:
                room -= file.write(b"\0" * min(room, 2**20))
            file.flush()
        except OSError:
            pass  # full


def empty(folder: Path) -> None:
    (folder / RESERVE).unlink()
