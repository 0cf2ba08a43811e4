"""Which projects may run code of their own: a repository's configuration can name programs, and
opening a repository must not run them.

A project is trusted when the user said so (``ostler trust``), for every project with
``OSTLER_TRUST=1`` or ``"trust": true`` in the global configuration.
"""

import json
import os
from collections.abc import Mapping

from ostler.config.discover import is_set
from ostler.config.write import OWNER_ALONE, replace_file

NAME = "trust.json"


class Trust:
    """``state`` is Ostler's state folder. The file is read anew each time: a command in another
    terminal changes it."""

    def __init__(
        self, state: str, environment: Mapping[str, str], everything: bool = False
    ) -> None:
        self._path = os.path.join(state, NAME)
        self._everything = everything or is_set(environment, "OSTLER_TRUST")

    def holds(self, root: str) -> bool:
        """Whether a project's own code may run; a folder that is trusted covers what is in it."""
        if self._everything:
            return True
        root = os.path.realpath(root)
        return any(root == t or root.startswith(t.rstrip("/") + "/") for t in self.roots())

    def roots(self) -> list[str]:
        """The trusted folders. An unreadable file trusts none."""
        return self._listed("roots")

    def declined(self, root: str) -> bool:
        """Whether the user was asked for this project, and said no."""
        return os.path.realpath(root) in self._listed("declined")

    def decline(self, root: str) -> None:
        """Do not ask again. Raises OSError."""
        self._save(set(self.roots()), {*self._listed("declined"), os.path.realpath(root)})

    def _listed(self, key: str) -> list[str]:
        try:
            with open(self._path, encoding="utf-8") as file:
                stored = json.load(file)
        except (OSError, ValueError):
            return []
        found = stored.get(key) if isinstance(stored, dict) else None
        return [r for r in found if isinstance(r, str)] if isinstance(found, list) else []

    def add(self, root: str) -> None:
        """Raises OSError."""
        root = os.path.realpath(root)
        self._save({*self.roots(), root}, set(self._listed("declined")) - {root})

    def remove(self, root: str) -> bool:
        """Whether it was trusted by itself. Raises OSError."""
        root, known = os.path.realpath(root), set(self.roots())
        if root not in known:
            return False
        self._save(known - {root}, set(self._listed("declined")))
        return True

    def _save(self, roots: set[str], declined: set[str]) -> None:
        stored = {"roots": sorted(roots), **({"declined": sorted(declined)} if declined else {})}
        replace_file(self._path, json.dumps(stored, indent=2) + "\n", OWNER_ALONE)
