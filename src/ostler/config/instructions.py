"""Instruction files: AGENTS.md and its relatives, for a whole project and for single files."""

import asyncio
import glob
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from ostler.config.discover import ancestors, is_set
from ostler.config.paths import Paths

NAMES = ("AGENTS.md", "CLAUDE.md", "CONTEXT.md")
URL_SECONDS = 5.0

Fetch = Callable[[str], Awaitable[bytes]]
Texts = list[tuple[str, str]]


class Instructions:
    """The instruction files of one directory. ``patterns`` are the configuration's
    ``instructions``; ``fetch`` gets a URL's content. Files are read anew on each call."""

    def __init__(
        self,
        directory: str,
        worktree: str,
        paths: Paths,
        patterns: Sequence[str],
        environment: Mapping[str, str],
        fetch: Fetch,
    ) -> None:
        self._directory, self._worktree, self._paths = directory, worktree, paths
        self._patterns, self._environment, self._fetch = patterns, environment, fetch
        self._fetched: dict[str, str] = {}

    async def system(self) -> Texts:
        """(path or URL, text) of those that hold everywhere, the general ones first."""
        texts = [(path, text) for path in self._system_files() if (text := _read(path))]
        urls = [p for p in self._patterns if p.startswith(("http://", "https://"))]
        fetched = await asyncio.gather(*(self._url(url) for url in urls))
        texts += [(url, text) for url, text in zip(urls, fetched, strict=True) if text]
        return texts

    def nearby(self, path: str, shown: set[str]) -> Texts:
        """(path, text) of files that hold for ``path`` because of where it is, from its folder up
        to the directory; those in ``shown`` are left out, those returned are added to it."""
        path = os.path.abspath(path)
        root = os.path.abspath(self._directory)
        if not path.startswith(root.rstrip("/") + "/"):
            return []
        system = set(self._system_files())
        texts: Texts = []
        folder = os.path.dirname(path)
        while folder != root and folder.startswith(root.rstrip("/") + "/"):
            found = next((f for f in self._candidates(folder) if os.path.isfile(f)), None)
            if found and found != path and found not in system and found not in shown:
                text = _read(found)
                if text:
                    shown.add(found)
                    texts.append((found, text))
            folder = os.path.dirname(folder)
        return texts

    def _system_files(self) -> list[str]:
        files: list[str] = []
        base = self._environment.get("OPENCODE_CONFIG_DIR") or self._paths.config
        general = [os.path.join(base, "AGENTS.md")]
        if self._claude():
            general.append(os.path.join(self._paths.home, ".claude", "CLAUDE.md"))
        files += [f for f in general if os.path.isfile(f)][:1]
        if not self._project_disabled():
            files += self._upward()
        for pattern in self._patterns:
            if not pattern.startswith(("http://", "https://")):
                files += self._matching(pattern)
        return list(dict.fromkeys(files))

    def _upward(self) -> list[str]:
        """All files of the first name that occurs on the way up, the nearest first."""
        for name in self._names():
            found = [
                path
                for folder in ancestors(self._directory, self._worktree)
                if os.path.isfile(path := os.path.join(folder, name))
            ]
            if found:
                return found
        return []

    def _matching(self, pattern: str) -> Iterator[str]:
        if pattern.startswith("~/"):
            pattern = os.path.join(self._paths.home, pattern[2:])
        if os.path.isabs(pattern):
            yield from sorted(p for p in glob.glob(pattern) if os.path.isfile(p))
            return
        if self._project_disabled():
            folders: Sequence[str] = [self._paths.config]
        elif self._worktree == "/" and glob.has_magic(pattern):
            folders = [self._directory]  # the way up would end at the root of the disk
        else:
            folders = list(ancestors(self._directory, self._worktree))
        for folder in folders:
            for path in sorted(glob.glob(pattern, root_dir=folder, recursive=True)):
                whole = os.path.join(folder, path)
                if os.path.isfile(whole):
                    yield whole

    async def _url(self, url: str) -> str:
        """Fetched once; a failure is tried again next time."""
        known = self._fetched.get(url)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(URL_SECONDS):
                text = (await self._fetch(url)).decode("utf-8", "replace")
        except (TimeoutError, OSError):
            return ""
        self._fetched[url] = text
        return text

    def _candidates(self, folder: str) -> list[str]:
        return [os.path.join(folder, name) for name in self._names()]

    def _names(self) -> Sequence[str]:
        return NAMES if self._claude() else [n for n in NAMES if n != "CLAUDE.md"]

    def _claude(self) -> bool:
        return not (
            is_set(self._environment, "OPENCODE_DISABLE_CLAUDE_CODE")
            or is_set(self._environment, "OPENCODE_DISABLE_CLAUDE_CODE_PROMPT")
        )

    def _project_disabled(self) -> bool:
        return is_set(self._environment, "OPENCODE_DISABLE_PROJECT_CONFIG")


def _read(path: str) -> str:
    """The text, empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
