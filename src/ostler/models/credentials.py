"""Where keys are kept: ``auth.json`` in Ostler's data folder, readable by its owner alone.

Keys that OpenCode keeps are read as well; they are never written, and Ostler's own come first.
"""

import logging
import os

import msgspec

from ostler.config.write import read_private, write_private
from ostler.schema.auth import Auth, AuthFile

NAME = "auth.json"

log = logging.getLogger("ostler.credentials")


class Credentials:
    """``data`` and ``opencode_data`` are the two programs' data folders. Files are read anew each
    time: another process may have signed in."""

    def __init__(self, data: str, opencode_data: str) -> None:
        self._own = os.path.join(data, NAME)
        self._theirs = os.path.join(opencode_data, NAME)

    def all(self) -> dict[str, Auth]:
        """By provider id; entries that make no sense are left out."""
        return {**_read(self._theirs), **_read(self._own)}

    def own(self) -> dict[str, Auth]:
        """Those that Ostler keeps itself, by provider id."""
        return _read(self._own)

    def get(self, provider_id: str) -> Auth | None:
        return self.all().get(provider_id)

    def set(self, provider_id: str, auth: Auth) -> None:
        """Keep a credential. Raises OSError."""
        entries = {
            **_raw(self._own),
            _id(provider_id): msgspec.to_builtins(auth),
        }
        write_private(self._own, entries)

    def remove(self, provider_id: str) -> bool:
        """Forget a credential of Ostler's own; whether there was one. Raises OSError."""
        entries = dict(_raw(self._own))
        if entries.pop(_id(provider_id), None) is None:
            return False
        write_private(self._own, entries)
        return True


def _id(provider_id: str) -> str:
    return provider_id.rstrip("/")  # the ids of well-known ones are URLs


def _read(path: str) -> dict[str, Auth]:
    found: dict[str, Auth] = {}
    for provider_id, entry in _raw(path).items():
        try:
            found[provider_id] = msgspec.convert(entry, Auth)
        except msgspec.ValidationError as e:
            log.warning("%s: the entry of %s is left out: %s", path, provider_id, e)
    return found


def _raw(path: str) -> AuthFile:
    """The file's object, with what Ostler does not understand."""
    return read_private(path, AuthFile, log)
