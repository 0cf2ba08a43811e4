"""Where things live on this machine: Ostler's own data, OpenCode's configuration.

Configuration is read where OpenCode reads it, so nothing has to be moved; data, cache and state are
Ostler's own, so the two never write to one file.
"""

import getpass
import os
import tempfile
from collections.abc import Mapping

import msgspec


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute paths. ``config`` is OpenCode's global folder; ``opencode_data`` is where OpenCode
    keeps its credentials; ``database`` may be ``:memory:``."""

    home: str
    data: str
    cache: str
    config: str
    state: str
    tmp: str
    database: str
    opencode_data: str
    opencode_state: str

    @property
    def tool_output(self) -> str:
        return os.path.join(self.data, "tool-output")

    def ensure(self) -> None:
        """Make Ostler's own folders."""
        for folder in (self.data, self.cache, self.state, self.tmp, self.tool_output):
            os.makedirs(folder, exist_ok=True)


def default_paths(environment: Mapping[str, str] | None = None) -> Paths:
    """From XDG_* and HOME; OPENCODE_TEST_HOME stands for HOME, OSTLER_DB names the database
    (relative to the data folder)."""
    env = os.environ if environment is None else environment
    home = env.get("OPENCODE_TEST_HOME") or env.get("HOME") or os.path.expanduser("~")

    def base(variable: str, *fallback: str) -> str:
        return env.get(variable) or os.path.join(home, *fallback)

    data_base = base("XDG_DATA_HOME", ".local", "share")
    state_base = base("XDG_STATE_HOME", ".local", "state")
    data = os.path.join(data_base, "ostler")
    database = env.get("OSTLER_DB") or "ostler.db"
    return Paths(
        home=home,
        data=data,
        cache=os.path.join(base("XDG_CACHE_HOME", ".cache"), "ostler"),
        config=os.path.join(base("XDG_CONFIG_HOME", ".config"), "opencode"),
        state=os.path.join(state_base, "ostler"),
        tmp=os.path.join(env.get("TMPDIR") or tempfile.gettempdir(), "ostler"),
        database=database if database == ":memory:" else os.path.join(data, database),
        opencode_data=os.path.join(data_base, "opencode"),
        opencode_state=os.path.join(state_base, "opencode"),
    )


def username() -> str:
    """The operating system's name of the user, ``user`` where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "user"
