"""When upkeep was done last: the time of a file, so that looking costs one system call."""

import os
import time

DAILY = 86_400.0


def stamp(state: str) -> str:
    """The file, in Ostler's state folder."""
    return os.path.join(state, "upkeep")


def is_due(state: str) -> bool:
    """Whether a day has passed since the last time. Where there was none, the day begins now."""
    try:
        return time.time() - os.stat(stamp(state)).st_mtime > DAILY
    except OSError:
        with open(stamp(state), "ab"):
            return False
