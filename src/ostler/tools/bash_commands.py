"""What a shell command would run, for permissions: parsed, not executed.

Every simple command anywhere in the text (pipelines, loops, subshells, ``$( )``) gives a pattern to
ask for and a shorter one to remember; commands that take paths also say which folders outside the
project they would touch. The rules are OpenCode 1.18's, but that a text in which no command is
found (``> file``), or that the parser cannot read to its end, is asked for as a whole.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from ostler.project.boundary import absolute, inside
from ostler.tools.arity import prefix

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_CHANGE_DIRECTORY = frozenset(["cd", "chdir", "popd", "pushd", "push-location", "set-location"])
_TAKE_PATHS = _CHANGE_DIRECTORY | frozenset(
    ["rm", "cp", "mv", "mkdir", "touch", "chmod", "chown", "cat", "get-content", "set-content",
     "add-content", "copy-item", "move-item", "remove-item", "new-item", "rename-item"]
)  # fmt: skip
_TOKENS = frozenset(["command_name", "word", "string", "raw_string", "concatenation"])


class Scan(msgspec.Struct, frozen=True):
    """What to ask: ``directories`` outside the project, the commands' ``patterns``, and what to
    remember when the answer is ``always``. Each in order of appearance, once."""

    directories: Sequence[str]
    patterns: Sequence[str]
    always: Sequence[str]


def scan(command: str, cwd: str, directory: str, worktree: str, home: str) -> Scan:
    """Read a command that is to run in ``cwd``. Relative paths are taken from there, whatever
    ``cd`` the command itself makes."""
    directories: dict[str, None] = {}
    patterns: dict[str, None] = {}
    always: dict[str, None] = {}
    root = _parser().parse(command.encode("utf-8", "replace")).root_node
    nodes = list(_commands(root))
    if command.strip() and (not nodes or root.has_error):
        patterns[command.strip()] = None
    for node in nodes:
        tokens = [_text(child) for child in node.children if child.type in _TOKENS]
        if not tokens:
            continue
        if tokens[0] in _TAKE_PATHS:
            for path in _paths(tokens, cwd, home):
                if not inside(path, directory, worktree):
                    directories[path if os.path.isdir(path) else os.path.dirname(path)] = None
        if tokens[0] not in _CHANGE_DIRECTORY:
            patterns[_source(node)] = None
            always[" ".join(prefix(tokens)) + " *"] = None
    return Scan(list(directories), list(patterns), list(always))


def _commands(root: "Node") -> Iterator["Node"]:
    """The ``command`` nodes of the parsed text, in order of appearance."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type == "command":
            yield node
        pending.extend(reversed(node.children))


@cache
def _parser() -> "Parser":
    # Loaded by the first command: most of the cost of a first bash call, and none of a start-up.
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _text(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _source(node: "Node") -> str:
    """The command as written, with the redirections that belong to it alone."""
    parent = node.parent
    whole = parent if parent is not None and parent.type == "redirected_statement" else node
    return _text(whole).strip()


def _paths(tokens: Sequence[str], cwd: str, home: str) -> Iterator[str]:
    """The absolute paths among a command's arguments, as far as they are written out."""
    for token in tokens[1:]:
        if token.startswith("-") or (tokens[0] == "chmod" and token.startswith("+")):
            continue
        path = _unquoted(token)
        if path == "~" or path.startswith("~/"):
            path = home + path[1:]
        # What a wildcard stands for is unknown: the folder it is looked for in counts.
        path = path[: min((path.find(c) for c in "?*[" if c in path), default=len(path))]
        if path and "$" not in path and "`" not in path and not path.startswith("("):
            yield absolute(path, cwd)


def _unquoted(token: str) -> str:
    if len(token) > 1 and token[0] == token[-1] and token[0] in "'\"":
        return token[1:-1]
    return token
