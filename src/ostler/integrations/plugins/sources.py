"""Which plugins a directory's configuration asks for, and whose wish that is."""

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from ostler.config.discover import is_set
from ostler.config.load import LoadedConfig
from ostler.integrations.plugins.plugin import Json
from ostler.integrations.plugins.python import PREFIX


class PluginSource(msgspec.Struct, frozen=True):
    """``spec`` is what configuration says: ``pkg``, ``pkg@1.2``, ``@scope/pkg``, ``alias@npm:…``,
    whatever else npm takes, ``file:///…``, an absolute path, or ``python:<name>``. ``project``: the
    project itself asks for it, nobody else does."""

    spec: str
    options: Json | None = None
    project: bool = False

    @property
    def file(self) -> str | None:
        """The path of one that is a file or a folder."""
        url = urlsplit(self.spec)
        return unquote(url.path) if url.scheme == "file" else None

    @property
    def is_python(self) -> bool:
        return self.spec.startswith(PREFIX) or (self.file or "").endswith(".py")

    @property
    def name(self) -> str:
        """As a person knows it."""
        return self.file or self.spec


def wanted(loaded: LoadedConfig, environment: Mapping[str, str]) -> list[PluginSource]:
    """In the order of loading; none with OPENCODE_PURE."""
    if is_set(environment, "OPENCODE_PURE"):
        return []
    users = [
        entry
        for source in loaded.sources
        if not source.project
        for entry in source.raw.get("plugin") or ()
    ]
    return [_source(entry, entry not in users) for entry in loaded.config.plugin or ()]


def _source(entry: str | list[object], project: bool) -> PluginSource:
    spec, *rest = [entry] if isinstance(entry, str) else entry
    options = rest[0] if rest and isinstance(rest[0], dict) else None
    return PluginSource(str(spec), options, project)
