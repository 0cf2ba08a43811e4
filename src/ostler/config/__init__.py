"""Configuration: where it is found, how it is merged, and what agents, commands and skills come of
it. ``load`` is the way in."""

from ostler.config.load import (
    LoadedConfig,
    changed,
    load,
    load_global,
    load_global_raw,
    stamped,
)
from ostler.config.paths import Paths, default_paths

__all__ = [
    "LoadedConfig",
    "Paths",
    "changed",
    "default_paths",
    "load",
    "load_global",
    "load_global_raw",
    "stamped",
]
