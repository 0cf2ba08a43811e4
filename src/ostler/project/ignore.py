"""Ignore rules as ripgrep applies them: ``.rgignore``, ``.ignore``, ``.gitignore``, git's exclude
files, hidden files, and ``--glob`` overrides that beat all of these.

Paths are bytes, since file names are; standard library only, since the search program imports it.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from ostler.project.globs import BadGlob, compile_glob

IGNORE, KEEP = True, False
Verdict = bool | None
"""IGNORE, KEEP (a ``!`` rule), or None: no rule speaks of the path."""


class Rules:
    """The rules of one ignore file, the last match winning; paths are relative to its folder."""

    def __init__(self, lines: Iterable[str], strict: bool = False) -> None:
        """``strict``: raise BadGlob on a rule that cannot be read, instead of leaving it out."""
        self._rules: list[tuple[re.Pattern[bytes], bool, bool]] = []
        for line in lines:
            try:
                self._add(line, strict)
            except BadGlob:
                if strict:
                    raise
        sources = [pattern.pattern for pattern, _, _ in self._rules]
        self._any = re.compile(b"|".join(b"(?:%s)" % s for s in sources), re.DOTALL)
        self.keeps = any(verdict is KEEP for _, verdict, _ in self._rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def verdict(self, path: bytes, is_directory: bool) -> Verdict:
        """What the last matching rule says of a path."""
        if not self._rules or self._any.fullmatch(path) is None:
            return None
        for pattern, verdict, directories_only in reversed(self._rules):
            if (is_directory or not directories_only) and pattern.fullmatch(path):
                return verdict
        return None

    def _add(self, line: str, strict: bool) -> None:
        if line.startswith("#"):
            return
        if not line.endswith("\\ "):
            line = line.rstrip()
        if not line:
            return
        verdict, anchored = IGNORE, False
        if line.startswith(("\\!", "\\#")):
            line = line[1:]
        else:
            if line.startswith("!"):
                verdict, line = KEEP, line[1:]
            if line.startswith("/"):
                anchored, line = True, line[1:]
        directories_only = line.endswith("/")
        if directories_only:
            line = line[:-1].removesuffix("\\")
        if not anchored and "/" not in line and line != "**":
            line = "**/" + line
        if line.endswith("/**"):
            # What is inside the folder, not the folder itself.
            line += "/*"
        pattern = compile_glob(line, unclosed_class=not strict)
        self._rules.append((pattern, verdict, directories_only))


class Overrides:
    """``--glob`` rules: a plain one keeps what it matches and, for files, drops all else; one with
    ``!`` drops. Raises BadGlob."""

    def __init__(self, globs: Sequence[str]) -> None:
        self._rules = Rules(globs, strict=True)
        # In an override file's reading the sense of '!' is turned round.
        self._keeps_only = any(g.strip() and not g.startswith(("!", "#")) for g in globs)

    def verdict(self, path: bytes, is_directory: bool) -> Verdict:
        found = self._rules.verdict(path, is_directory)
        if found is None:
            return IGNORE if self._keeps_only and not is_directory else None
        return not found


class Folder:
    """One directory's ignore files, linked to its parent's. ``prefix`` is the directory relative
    to where the walk began, ending in a slash; for folders above that, ``above`` is the way from
    there down to it."""

    _NAMES = (b".rgignore", b".ignore", b".gitignore")

    def __init__(
        self, path: bytes, parent: "Folder | None", prefix: bytes = b"", above: bytes = b""
    ) -> None:
        # Folders without a say are left out of the chain: every entry of the walk goes up it.
        self.parent: Folder | None = parent
        if parent is not None and not parent.speaks:
            self.parent = parent.parent
        self.prefix, self.above = prefix, above
        self.has_git = os.path.exists(os.path.join(path, b".git"))
        self.in_git: bool = self.has_git or (parent is not None and parent.in_git)
        own, ignore, git = (_read_rules(os.path.join(path, name)) for name in self._NAMES)
        exclude = _exclude_rules(path) if self.has_git else _NOTHING
        self.kinds: tuple[Rules, Rules, Rules, Rules] = (own, ignore, git, exclude)
        self.speaks: bool = self.has_git or any(self.kinds)

    def child(self, path: bytes, prefix: bytes) -> "Folder":
        return Folder(path, self, prefix)

    def verdict(self, path: bytes, is_directory: bool, shared: Rules) -> Verdict:
        """What the ignore files say of ``path``, relative to the walk's start. ``shared`` is git's
        user-wide list. ripgrep's order: .rgignore, .ignore, .gitignore, exclude, user-wide; of
        each kind the nearest folder's. Git's own kinds end at the repository's root."""
        found: list[Verdict] = [None, None, None, None]
        saw_git = False
        folder: Folder | None = self
        while folder is not None:
            inner = folder.above + path[len(folder.prefix) :]
            for kind, rules in enumerate(folder.kinds):
                if found[kind] is None and rules and (kind < 2 or (self.in_git and not saw_git)):
                    found[kind] = rules.verdict(inner, is_directory)
            if found[0] is not None:
                return found[0]
            saw_git = saw_git or folder.has_git
            folder = folder.parent
        for verdict in found:
            if verdict is not None:
                return verdict
        return shared.verdict(path, is_directory) if self.in_git else None


_NOTHING = Rules(())


def root_folder(directory: bytes) -> Folder:
    """The ignore files of an absolute directory and of every directory above it."""
    directory = os.path.realpath(directory)
    folder: Folder | None = None
    parts = [part for part in directory.split(b"/") if part]
    for depth in range(len(parts)):
        above = b"/".join(parts[depth:]) + b"/"
        folder = Folder(b"/" + b"/".join(parts[:depth]), folder, above=above)
    return Folder(directory, folder)


def user_rules() -> Rules:
    """Git's user-wide ignore list: core.excludesFile, else ``$XDG_CONFIG_HOME/git/ignore``."""
    home = os.path.expanduser("~")
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    for config in (os.path.join(home, ".gitconfig"), os.path.join(settings, "git", "config")):
        try:
            with open(config, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        found = re.search(r'(?im)^\s*excludesfile\s*=\s*"?\s*(\S+?)\s*"?\s*$', text)
        if found:
            return _read_rules(os.fsencode(found[1].replace("~", home)))
    return _read_rules(os.fsencode(os.path.join(settings, "git", "ignore")))


def _read_rules(path: bytes) -> Rules:
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
            return Rules(line.rstrip("\n") for line in file)
    except OSError:
        return _NOTHING


def _exclude_rules(directory: bytes) -> Rules:
    """``info/exclude`` of the repository, found through ``.git`` files of linked worktrees."""
    git = os.path.join(directory, b".git")
    if os.path.isfile(git):
        linked = _first_line(git)
        if linked is None or not linked.startswith(b"gitdir: "):
            return _NOTHING
        linked = linked[len(b"gitdir: ") :]
        common = _first_line(os.path.join(linked, b"commondir"))
        if common is None:
            return _NOTHING
        git = os.path.join(linked, common)
    return _read_rules(os.path.join(git, b"info", b"exclude"))


def _first_line(path: bytes) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.readline(4096).rstrip(b"\r\n")
    except OSError:
        return None


def walk(directory: bytes, overrides: Overrides, hidden: bool) -> Iterator[bytes]:
    """The regular files under an absolute directory, relative to it, in directory order; links are
    not followed. ``hidden``: names that begin with a dot count too."""
    shared = user_rules()
    pending = [root_folder(directory)]
    while pending:
        folder = pending.pop()
        below: list[Folder] = []
        path = os.path.join(directory, folder.prefix)
        try:
            entries = os.scandir(path)
        except OSError:
            continue
        with entries:
            for entry in entries:
                relative = folder.prefix + entry.name
                try:
                    is_directory = entry.is_dir(follow_symlinks=False)
                    is_file = entry.is_file(follow_symlinks=False)
                except OSError:
                    continue
                if not (is_directory or is_file):
                    continue
                verdict = overrides.verdict(relative, is_directory)
                if verdict is None:
                    verdict = folder.verdict(relative, is_directory, shared)
                    if verdict is None and not hidden and entry.name.startswith(b"."):
                        verdict = IGNORE
                if verdict is IGNORE:
                    continue
                if is_directory:
                    below.append(folder.child(entry.path, relative + b"/"))
                else:
                    yield relative
        pending.extend(reversed(below))
