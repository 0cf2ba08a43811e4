"""Which shell runs commands, and how it is called."""

import os
import shutil
from collections.abc import Container, Mapping

from ostler.schema.config import Config

NOT_FOR_TOOLS = frozenset(["fish", "nu"])
"""Shells whose syntax models do not write."""


def choose(
    config: Config, environment: Mapping[str, str], refused: Container[str] = NOT_FOR_TOOLS
) -> str:
    """The shell's path: the configured one, else ``$SHELL``, else bash on PATH, else ``/bin/sh``.
    One that does not exist, or whose name is ``refused``, is passed over."""
    for candidate in (config.shell, environment.get("SHELL"), "bash"):
        if not candidate or name_of(candidate) in refused:
            continue
        if os.path.isabs(candidate):
            if os.path.isfile(candidate):
                return candidate
        elif found := shutil.which(candidate, path=environment.get("PATH")):
            return found
    return "/bin/sh"


def name_of(shell: str) -> str:
    """The shell's name, e.g. ``zsh`` for ``/usr/bin/zsh``."""
    return os.path.basename(shell).removesuffix(".exe").lower()


def tool_command(shell: str, command: str) -> list[str]:
    """The arguments to run a model's command: no login, no start-up files."""
    return [shell, "-c", command]


def user_command(shell: str, command: str, directory: str) -> list[str]:
    """The arguments to run a person's command as in their own terminal: bash and zsh are login
    shells and read their start-up files, so that aliases work."""
    start_up = _START_UP.get(name_of(shell))
    if start_up is None:
        return [shell, "-c", command]
    return [shell, "-l", "-c", start_up + _IN_DIRECTORY, shell, directory, command]


_START_UP = {
    "bash": "shopt -s expand_aliases; [ -f ~/.bashrc ] && . ~/.bashrc >/dev/null 2>&1; ",
    "zsh": '[ -f "${ZDOTDIR:-$HOME}/.zshrc" ] && . "${ZDOTDIR:-$HOME}/.zshrc" >/dev/null 2>&1; ',
}
# The command comes as an argument: nothing of it is read before the aliases are known.
_IN_DIRECTORY = 'cd -- "$1" || exit; eval "$2"'
