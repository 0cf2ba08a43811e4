"""Memory of a program and all it started: resident set sizes from /proc, added up."""

import os
import threading
import time
from pathlib import Path

SAMPLE_SECONDS = 0.01
REST_SECONDS = 2.0


def at_rest_mb(pid: int) -> float:
    """Of the family of ``pid``, once it has had a moment to give back what it can."""
    time.sleep(REST_SECONDS)
    return resident_mb(pid)


def resident_mb(pid: int) -> float:
    return sum(_kilobytes(member, "VmRSS:") for member in family(pid)) / 1024


def family(pid: int) -> list[int]:
    """``pid`` and its descendants. A child that is not a program of its own yet shares its parent's
    memory, so that counting it would count that twice."""
    return list(_descend(pid, b""))


class Peak:
    """The most that the family of a process holds while it is watched, in MB::

        with Peak(process.pid) as peak:
            process.wait()
        peak.mb

    Not ``ru_maxrss``: a child that is started with vfork inherits its starter's there, and it knows
    the largest process of a family only, not the sum.
    """

    def __init__(self, pid: int) -> None:
        self.mb = 0.0
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.sample()

    def sample(self) -> None:
        members = family(self._pid)
        together = sum(_kilobytes(member, "VmRSS:") for member in members)
        # what the program held between two samples, the kernel remembers
        alone = _kilobytes(self._pid, "VmHWM:") if members else 0
        self.mb = max(self.mb, together / 1024, alone / 1024)


def _descend(pid: int, parent_command: bytes) -> list[int]:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        threads = os.listdir(f"/proc/{pid}/task")
        children = [
            int(child)
            for thread in threads
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        ]
    except OSError:
        return []
    mine = [] if command == parent_command else [pid]
    return [*mine, *(member for child in children for member in _descend(child, command))]


def _kilobytes(pid: int, field: str) -> int:
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith(field):
                    return int(line.split()[1])
    except OSError:
        pass  # it has ended
    return 0
