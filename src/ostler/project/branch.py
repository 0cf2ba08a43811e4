"""Which branch a checkout is on, and noticing when that changes."""

import os
from collections.abc import Callable

from ostler.project.checkout import Checkout

_REF = "ref: refs/heads/"


class BranchWatch:
    """Looks when it is asked to, after what may have changed the branch: no idle directory costs
    anything. ``tell`` gets the new branch; None: HEAD is detached."""

    def __init__(self, checkout: Checkout | None, tell: Callable[[str | None], None]) -> None:
        self._head = os.path.join(checkout.git_dir, "HEAD") if checkout else None
        self._tell = tell
        self._known = self._read()

    def look(self) -> None:
        """Tell if it changed since the last look. Costs the reading of a small file."""
        found = self._read()
        if found != self._known:
            self._known = found
            self._tell(found)

    def _read(self) -> str | None:
        if self._head is None:
            return None
        try:
            with open(self._head, encoding="utf-8") as file:
                line = file.readline().strip()
        except (OSError, UnicodeDecodeError):
            return None
        return line.removeprefix(_REF) if line.startswith(_REF) else None
