"""Formatters: programs that put a file into shape after a tool has written it.

Off unless ``formatter`` in opencode.json says so. Which programs there are, their arguments, their
extensions and what switches each on: OpenCode 1.18. Failures are logged, and change nothing else.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from ostler.config.discover import is_set
from ostler.schema.config import FormatterConfig
from ostler.tools import process

log = logging.getLogger(__name__)

DEADLINE = 30.0
"""Seconds one formatter may take for one file."""
FILE = "$FILE"
PROBE_DEADLINE = 10.0
"""Seconds a program may take to say what it is."""
_SHOWN = 2_000
"""Characters of a failing formatter's output that go into the log."""
_WEB = (
    ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".html", ".htm", ".css", ".scss",
    ".sass", ".less", ".vue", ".svelte", ".json", ".jsonc", ".yaml", ".yml", ".toml", ".xml", ".md",
    ".mdx", ".graphql", ".gql",
)  # fmt: skip


_NODE = ("package.json",)


class Formatter(msgspec.Struct, frozen=True):
    """``command`` has ``$FILE`` where the file goes. It is used where what it wants is there: a
    program on PATH (or in the project's ``node_modules``), a file upwards, a dependency.

    ``forced``: the user gave the command, so it is used in any case; ``loads_code``: it runs what
    the project's configuration of it says; ``probe``: arguments with which the program on PATH
    must succeed, and ``says`` the words of the first line it then prints; ``flag``: the variable
    that switches it on; ``unless``: the formatter in whose place it stands."""

    name: str
    command: tuple[str, ...]
    extensions: tuple[str, ...]
    marker: tuple[str, ...] = ()
    dependency: tuple[tuple[str, ...], str] | None = None
    environment: dict[str, str] = {}
    forced: bool = False
    loads_code: bool = False
    probe: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    flag: str = ""
    unless: str = ""


BUILTIN: tuple[Formatter, ...] = (
    Formatter("gofmt", ("gofmt", "-w", FILE), (".go",)),
    Formatter(
        "mix", ("mix", "format", FILE),
        (".ex", ".exs", ".eex", ".heex", ".leex", ".neex", ".sface"),
        loads_code=True,
    ),
    Formatter(
        "prettier", ("prettier", "--write", FILE), _WEB, dependency=(_NODE, "prettier"),
        loads_code=True,
    ),
    Formatter(
        "oxfmt", ("oxfmt", FILE), _WEB[:8], dependency=(_NODE, "oxfmt"),
        flag="OPENCODE_EXPERIMENTAL_OXFMT",
    ),
    Formatter("biome", ("biome", "format", "--write", FILE), _WEB, ("biome.json", "biome.jsonc")),
    Formatter("zig", ("zig", "fmt", FILE), (".zig", ".zon")),
    Formatter(
        "clang-format",
        ("clang-format", "-i", FILE),
        (".c", ".cc", ".cpp", ".cxx", ".c++", ".h", ".hh", ".hpp", ".hxx", ".h++", ".ino",
         ".C", ".H"),
        (".clang-format",),
    ),
    Formatter("ktlint", ("ktlint", "-F", FILE), (".kt", ".kts")),
    Formatter(
        "ruff", ("ruff", "format", FILE), (".py", ".pyi"), ("ruff.toml", ".ruff.toml"),
        (("requirements.txt", "pyproject.toml", "Pipfile"), "ruff"),
    ),
    Formatter("air", ("air", "format", FILE), (".R",), probe=("--help",),
              says=("R language", "formatter")),
    Formatter("uv", ("uv", "format", "--", FILE), (".py", ".pyi"), probe=("format", "--help"),
              unless="ruff"),
    Formatter("rubocop", ("rubocop", "--autocorrect", FILE), (".rb", ".rake", ".gemspec", ".ru"),
              loads_code=True),
    Formatter("standardrb", ("standardrb", "--fix", FILE), (".rb", ".rake", ".gemspec", ".ru"),
              loads_code=True),
    Formatter("htmlbeautifier", ("htmlbeautifier", FILE), (".erb",)),
    Formatter("dart", ("dart", "format", FILE), (".dart",)),
    Formatter("ocamlformat", ("ocamlformat", "-i", FILE), (".ml", ".mli"), (".ocamlformat",)),
    Formatter("terraform", ("terraform", "fmt", FILE), (".tf", ".tfvars")),
    Formatter("latexindent", ("latexindent", "-w", "-s", FILE), (".tex",)),
    Formatter("gleam", ("gleam", "format", FILE), (".gleam",)),
    Formatter("shfmt", ("shfmt", "-w", FILE), (".sh", ".bash")),
    Formatter("nixfmt", ("nixfmt", FILE), (".nix",)),
    Formatter("rustfmt", ("rustfmt", FILE), (".rs",)),
    Formatter(
        "pint", ("./vendor/bin/pint", FILE), (".php",),
        dependency=(("composer.json",), "laravel/pint"),
    ),
    Formatter("ormolu", ("ormolu", "-i", FILE), (".hs",)),
    Formatter("cljfmt", ("cljfmt", "fix", "--quiet", FILE), (".clj", ".cljs", ".cljc", ".edn")),
    Formatter("dfmt", ("dfmt", "-i", FILE), (".d",)),
)  # fmt: skip


_ONE = ("ruff", "uv")
"""Who does without one of them does without both: one stands in for the other (OpenCode 1.18)."""


def configured(config: bool | Mapping[str, FormatterConfig] | None) -> list[Formatter]:
    """Those that opencode.json asks for: the built-in ones, with what it changes and adds."""
    if not config:
        return []
    known = {formatter.name: formatter for formatter in BUILTIN}
    for name, entry in ({} if config is True else config).items():
        if entry.disabled:
            for gone in _ONE if name in _ONE else (name,):
                known.pop(gone, None)
            continue
        base = known.get(name) or Formatter(name, (), ())
        known[name] = msgspec.structs.replace(
            base,
            command=tuple(entry.command) if entry.command else base.command,
            extensions=tuple(entry.extensions) if entry.extensions else base.extensions,
            environment={**base.environment, **(entry.environment or {})},
            forced=bool(entry.command),
        )
    return [formatter for formatter in known.values() if formatter.command]


class Formatters:
    """Of one directory. ``distrust`` says why the project's own code must not be run; None lets it.
    ``own``: the project itself asks for formatters, so that all of them are its code."""

    def __init__(
        self,
        formatters: Sequence[Formatter],
        *,
        directory: str,
        worktree: str,
        environment: Mapping[str, str],
        distrust: Callable[[str], str | None],
        own: bool,
    ) -> None:
        self._formatters, self._environment = list(formatters), environment
        self._directory, self._worktree = directory, worktree
        self._distrust, self.own = distrust, own and bool(self._formatters)
        self._commands: dict[str, tuple[str, ...] | None] = {}
        self._told: set[str] = set()

    async def status(self) -> list[tuple[str, list[str], bool]]:
        """(name, extensions, whether it is used) of each."""
        return [
            (f.name, list(f.extensions), await self._command(f) is not None)
            for f in self._formatters
        ]

    async def format(self, path: str) -> None:
        """Put a file into shape with everything that is for its extension, one after the other."""
        wanted = [f for f in self._formatters if path.endswith(f.extensions) and f.extensions]
        for formatter in wanted:
            command = await self._command(formatter)
            if command is not None and not self._is_held_back(formatter, command):
                await self._run(formatter, [path if w == FILE else w for w in command])

    def _is_held_back(self, formatter: Formatter, command: tuple[str, ...]) -> bool:
        inside = command[0].startswith(self._root().rstrip("/") + "/")
        if not (self.own or (not formatter.forced and (inside or formatter.loads_code))):
            return False
        objection = self._distrust(f"the formatter {formatter.name}")
        if objection is not None and formatter.name not in self._told:
            self._told.add(formatter.name)
            log.warning("%s", objection)
        return objection is not None

    def _root(self) -> str:
        return self._directory if self._worktree == "/" else self._worktree

    async def _run(self, formatter: Formatter, command: list[str]) -> None:
        said: list[bytes] = []
        try:
            finished = await process.run(
                command,
                directory=self._directory,
                environment={**self._environment, **formatter.environment},
                on_output=said.append,
                timeout=DEADLINE,
            )
        except OSError as e:
            log.warning("the formatter %s cannot be started: %s", formatter.name, e)
            return
        if finished.ending != "exit" or finished.exit:
            text = b"".join(said).decode("utf-8", "replace")[:_SHOWN]
            how = f"ended with {finished.exit}" if finished.ending == "exit" else "took too long"
            log.warning("the formatter %s %s: %s", formatter.name, how, text)

    # ── which are used ───────────────────────────────────────────────────────────────────────

    async def _command(self, formatter: Formatter) -> tuple[str, ...] | None:
        """The command with its program found; None where it is not used here."""
        if formatter.name not in self._commands:
            self._commands[formatter.name] = await self._find(formatter)
        return self._commands[formatter.name]

    async def _find(self, formatter: Formatter) -> tuple[str, ...] | None:
        if formatter.forced:
            return formatter.command
        if not self._is_wanted(formatter):
            return None
        for other in BUILTIN:
            if other.name == formatter.unless and await self._find(other):
                return None
        program, *arguments = formatter.command
        found = self._on_path(program) if formatter.probe else self._program(program)
        if found is None or not await self._is_it(formatter, found):
            return None
        return (found, *arguments)

    def _program(self, name: str) -> str | None:
        for folder in self._upward():
            local = os.path.join(folder, "node_modules/.bin", name)
            if os.access(local, os.X_OK):
                return local
        if name.startswith("./"):
            whole = os.path.join(self._directory, name)
            return whole if os.access(whole, os.X_OK) else None
        return self._on_path(name)

    def _on_path(self, name: str) -> str | None:
        return shutil.which(name, path=self._environment.get("PATH") or "")

    async def _is_it(self, formatter: Formatter, program: str) -> bool:
        """Whether the program that has the name is the one that is meant."""
        if not formatter.probe:
            return True
        said: list[bytes] = []
        try:
            finished = await process.run(
                [program, *formatter.probe],
                directory=self._directory,
                environment=self._environment,
                on_output=said.append,
                timeout=PROBE_DEADLINE,
            )
        except OSError:
            return False
        first = b"".join(said).decode("utf-8", "replace").partition("\n")[0]
        succeeded = finished.ending == "exit" and finished.exit == 0
        return succeeded and all(words in first for words in formatter.says)

    def _is_wanted(self, formatter: Formatter) -> bool:
        """Whether the project says so, where the program alone is not enough."""
        flags = (formatter.flag, "OPENCODE_EXPERIMENTAL")
        if formatter.flag and not any(is_set(self._environment, name) for name in flags):
            return False
        if not formatter.marker and formatter.dependency is None:
            return True
        manifests, package = formatter.dependency or ((), "")
        for folder in self._upward():
            if any(os.path.exists(os.path.join(folder, name)) for name in formatter.marker):
                return True
            if any(_depends(folder, manifest, package) for manifest in manifests):
                return True
        return False

    def _upward(self) -> Iterator[str]:
        """The directory and those around it, up to the repository's root."""
        folder = self._directory
        while True:
            yield folder
            parent = os.path.dirname(folder)
            if folder == self._worktree or parent == folder or self._worktree == "/":
                return
            folder = parent


def _depends(folder: str, manifest: str, package: str) -> bool:
    try:
        with open(os.path.join(folder, manifest), encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return False
    if not manifest.endswith(".json"):
        return package in text
    try:
        decoded = json.loads(text)
    except ValueError:
        return False
    tables = ("dependencies", "devDependencies", "require", "require-dev")
    return isinstance(decoded, dict) and any(package in (decoded.get(t) or {}) for t in tables)
