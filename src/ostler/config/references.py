"""References: folders beside the project that its agents may read."""

import os

from ostler.config.load import LoadedConfig
from ostler.schema.config import ReferenceConfig

_PATH = (".", "/", "~")


def reference_folders(loaded: LoadedConfig, directory: str, home: str) -> dict[str, str]:
    """Absolute paths by name. A relative one starts at the file that names it (OpenCode 1.18);
    what is no path names a repository, which is not fetched, and left out."""
    found: dict[str, str] = {}
    for key in ("reference", "references"):
        for name, entry in (getattr(loaded.config, key) or {}).items():
            written = entry.path if isinstance(entry, ReferenceConfig) else entry
            if written and (written.startswith(_PATH) or isinstance(entry, ReferenceConfig)):
                origin = loaded.origin((key, name))
                base = os.path.dirname(origin[0]) if origin else ""
                found[name] = _absolute(written, base or directory, home)
    return found


def _absolute(path: str, base: str, home: str) -> str:
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return os.path.normpath(os.path.join(base, path))
