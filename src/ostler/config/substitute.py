"""``{env:NAME}`` and ``{file:path}`` in the text of a configuration file.

Done on the raw text, before it is parsed; occurrences on lines that begin with ``//`` are left
alone (OpenCode 1.18).
"""

import os
import re
from collections.abc import Mapping

import msgspec

from ostler.schema.errors import ConfigInvalidError

_REFERENCE = re.compile(r"\{(env|file):([^}\n]+)\}")


def substitute(
    text: str, file: str, directory: str, environment: Mapping[str, str], home: str
) -> str:
    """The text with references resolved: a variable that is not set is empty; a file's content is
    trimmed and escaped; relative paths start at ``directory``. Raises ConfigInvalidError."""
    if "{env:" not in text and "{file:" not in text:
        return text

    def resolve(match: re.Match[str]) -> str:
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if line.lstrip().startswith("//"):
            return match[0]
        if match[1] == "env":
            return environment.get(match[2], "")
        return _file(match, text, file, directory, home)

    return _REFERENCE.sub(resolve, text)


def _file(match: re.Match[str], text: str, file: str, directory: str, home: str) -> str:
    name = match[2].strip()
    path = os.path.join(home, name[2:]) if name.startswith("~/") else name
    path = os.path.normpath(os.path.join(directory, path))
    try:
        with open(path, encoding="utf-8") as source:
            content = source.read().strip()
    except OSError as e:
        line = text.count("\n", 0, match.start()) + 1
        problem = "does not exist" if isinstance(e, FileNotFoundError) else str(e.strerror)
        raise ConfigInvalidError(
            f'{file}:{line}: bad file reference: "{match[0]}" {path} {problem}', path=file
        ) from None
    return msgspec.json.encode(content).decode()[1:-1]
