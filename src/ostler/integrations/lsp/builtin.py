"""The language servers that are known: their programs, the files they are for, and what marks the
root of a project (OpenCode 1.18; nothing is downloaded)."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ostler.config.merge import deep_merge
from ostler.integrations.lsp import typescript
from ostler.integrations.lsp.client import CleanCheck
from ostler.integrations.lsp.documents import extension_of, uri_of
from ostler.integrations.lsp.place import Place, ancestors, nearest
from ostler.schema.config import LspConfig

Settings = dict[str, Any]
Command = tuple[str, ...]


class Launch(msgspec.Struct, frozen=True):
    """``command`` begins with a path, but where it ``is_missing``: the user named a program that
    is not there. ``is_clean`` as LanguageClient has it."""

    command: Command
    settings: Settings = {}
    is_missing: bool = False
    is_clean: CleanCheck | None = None


Special = Callable[[Place, Command | None], Launch | None]
"""What is needed beyond a program: from the place and the command as found to what is started."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """``commands``: the first whose program is there is used. ``markers``: the root is the nearest
    folder with one of the first group, or else of the next, or else the directory; ``strict``: or
    else there is none. ``unless``: not where one of these is upwards. ``runs_code``: it runs what
    the project configures or brings: build scripts, plugins, its own compiler. ``given``: the
    command is the user's."""

    id: str
    extensions: tuple[str, ...]
    commands: tuple[Command, ...] = ()
    markers: tuple[tuple[str, ...], ...] = ()
    strict: bool = False
    unless: tuple[str, ...] = ()
    widen: Callable[[str, str], str] | None = None
    special: Special | None = None
    runs_code: bool = False
    given: bool = False
    environment: Mapping[str, str] = {}
    settings: Settings = {}

    def takes(self, path: str) -> bool:
        """One without extensions takes every file (OpenCode 1.18)."""
        return not self.extensions or extension_of(path) in self.extensions

    def root(self, path: str, directory: str, worktree: str) -> str | None:
        """Of a file, None where the server is not for it."""
        start = os.path.dirname(path)
        if self.unless and nearest(self.unless, start, directory, worktree):
            return None
        for group in self.markers:
            found = nearest(group, start, directory, worktree)
            if found is not None:
                return self.widen(found, worktree) if self.widen else found
        return None if self.strict else directory

    def launch(self, place: Place) -> Launch | None:
        """None where it is not installed, or is no use here."""
        found = self._found(place)
        if self.special is not None:
            launch = self.special(place, found)
        else:
            launch = Launch(found) if found else None
        if self.given:
            command = found or self.commands[0]
            known = launch or Launch(command)
            launch = msgspec.structs.replace(known, command=command, is_missing=found is None)
        if launch is None:
            return None
        settings = deep_merge(launch.settings, self.settings)
        return msgspec.structs.replace(launch, settings=settings)

    def _found(self, place: Place) -> Command | None:
        for program, *arguments in self.commands:
            found = place.program(program)
            if found is not None:
                return (found, *arguments)
        return None


def configured(config: bool | Mapping[str, LspConfig] | None, *, ty: bool) -> list[Server]:
    """Those that opencode.json asks for: the built-in ones, with what it changes and adds.
    ``ty``: it takes the place of pyright."""
    if not config:
        return []
    left_out = "pyright" if ty else "ty"
    known = {server.id: server for server in BUILTIN if server.id != left_out}
    for name, entry in ({} if config is True else config).items():
        if entry.disabled:
            known.pop(name, None)
            continue
        base = known.get(name) or Server(id=name, extensions=())
        known[name] = msgspec.structs.replace(
            base,
            commands=(tuple(entry.command),) if entry.command else base.commands,
            given=bool(entry.command),
            extensions=base.extensions if entry.extensions is None else tuple(entry.extensions),
            environment={**base.environment, **(entry.env or {})},
            settings=deep_merge(base.settings, entry.initialization or {}),
        )
    return list(known.values())


# ── what some of them need ────────────────────────────────────────────────────────────────────


def _typescript(place: Place, found: Command | None) -> Launch | None:
    """It works with the project's own compiler, and is no help without. By itself it would install
    types from npm, and hold its first answer up for it."""
    tsserver = place.module("typescript/lib/tsserver.js")
    if not (found and tsserver):
        return None
    settings = {"tsserver": {"path": tsserver}, "disableAutomaticTypingAcquisition": True}
    return Launch(found, settings, is_clean=typescript.is_clean)


def _astro(place: Place, found: Command | None) -> Launch | None:
    tsserver = place.module("typescript/lib/tsserver.js")
    if not (found and tsserver):
        return None
    return Launch(found, {"typescript": {"tsdk": os.path.dirname(tsserver)}})


def _eslint(place: Place, found: Command | None) -> Launch | None:
    """Only where the project has ESLint. It reads the settings of its editor extension and does
    nothing without them."""
    if not found or place.module("eslint") is None:
        return None
    settings: Settings = {
        "validate": "on",
        "run": "onType",
        "quiet": False,
        "onIgnoredFiles": "off",
        "rulesCustomizations": [],
        "problems": {"shortenToSingleLine": False},
        "nodePath": None,
        "workingDirectory": {"mode": "location"},
        "workspaceFolder": {"name": os.path.basename(place.root), "uri": uri_of(place.root)},
        "experimental": {},
        "codeAction": {},
        "codeActionOnSave": {"enable": False, "mode": "all"},
        "format": False,
    }
    return Launch(found, settings)


def _python(place: Place, found: Command | None) -> Launch | None:
    """The interpreter of a virtual environment, so that its packages are known."""
    if not found:
        return None
    for environment in place.virtual_environments():
        interpreter = os.path.join(environment, "bin/python")
        if os.path.exists(interpreter):
            named = {"pythonPath": interpreter}
            # pyright reads it as configuration, under ``python``.
            return Launch(found, {**named, "python": named})
    return Launch(found)


def _ty(place: Place, found: Command | None) -> Launch | None:
    """Also installed in the project's virtual environment."""
    for environment in place.virtual_environments():
        program = os.path.join(environment, "bin/ty")
        if found is None and os.access(program, os.X_OK):
            found = (program, "server")
    return _python(place, found)


def _local_first(program: str, *arguments: str) -> Special:
    """In the version that the project installed, or else the user's."""

    def launch(place: Place, found: Command | None) -> Launch | None:
        local = place.local_program(program)
        command = (local, *arguments) if local else found
        return Launch(command) if command else None

    return launch


def _dotnet_tool(program: str) -> Special:
    """Also where ``dotnet tool install --global`` puts programs."""

    def launch(place: Place, found: Command | None) -> Launch | None:
        home = place.environment.get("DOTNET_CLI_HOME") or place.environment.get("HOME", "")
        tool = os.path.join(home, ".dotnet/tools", program)
        if found is None and os.access(tool, os.X_OK):
            found = (tool, *_ROSLYN[1:])
        return Launch(found) if found else None

    return launch


_ROSLYN = ("roslyn-language-server", "--stdio", "--autoLoadProjects")


def _razor(place: Place, found: Command | None) -> Launch | None:
    """With the parts for Razor of the newest C# extension of an editor."""
    launch = _dotnet_tool(_ROSLYN[0])(place, found)
    extension = _razor_extension(place.environment)
    if launch is None or extension is None:
        return None
    return Launch((
        *launch.command,
        f"--razorSourceGenerator={extension}/Microsoft.CodeAnalysis.Razor.Compiler.dll",
        f"--razorDesignTimePath={extension}/Targets/Microsoft.NET.Sdk.Razor.DesignTime.targets",
        "--extension",
        f"{extension}/Microsoft.VisualStudioCode.RazorExtension.dll",
    ))  # fmt: skip


def _razor_extension(environment: Mapping[str, str]) -> str | None:
    home = environment.get("HOME", "")
    folders = [os.path.join(home, n, "extensions") for n in (".vscode", ".vscode-server")]
    found: list[tuple[float, str]] = []
    for folder in (environment.get("VSCODE_EXTENSIONS"), *folders):
        try:
            entries = list(os.scandir(folder)) if folder else []
        except OSError:
            continue
        for entry in entries:
            path = os.path.join(entry.path, ".razorExtension")
            if entry.name.startswith("ms-dotnettools.csharp-") and os.path.isdir(path):
                found.append((entry.stat().st_mtime, path))
    return max(found)[1] if found else None


def _cargo_workspace(root: str, worktree: str) -> str:
    """The folder of the workspace that a crate belongs to."""
    for folder in ancestors(root):
        if "[workspace]" in _text(os.path.join(folder, "Cargo.toml")):
            return folder
        if folder == worktree:
            break
    return root


def _maven_parent(root: str, worktree: str) -> str:
    """The outermost of the modules' parents, where the build is Maven's."""
    for folder in ancestors(root):
        pom = re.sub(r"<!--.*?-->", "", _text(os.path.join(folder, "pom.xml")), flags=re.DOTALL)
        modules = re.findall(r"<module>\s*(?:\./)?([^<]+?)/?\s*</module>", pom)
        if os.path.relpath(root, folder) in modules:
            root = folder
        if folder == worktree:
            break
    return root


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


# ── the list ──────────────────────────────────────────────────────────────────────────────────

_SCRIPT = ".ts .tsx .js .jsx .mjs .cjs .mts .cts"
_LOCKS = "package-lock.json bun.lockb bun.lock pnpm-lock.yaml yarn.lock"
_DENO = ("deno.json", "deno.jsonc")
_PYTHON = "pyproject.toml setup.py setup.cfg requirements.txt Pipfile pyrightconfig.json"
_DOTNET = "*.slnx *.sln | global.json"
_GRADLE = (
    "settings.gradle settings.gradle.kts | gradlew gradlew.bat | build.gradle build.gradle.kts"
)


def _server(
    server_id: str, extensions: str, *commands: str, markers: str = "", **more: Any
) -> Server:
    """All as words; between groups of markers stands a bar."""
    return Server(
        id=server_id,
        extensions=tuple(extensions.split()),
        commands=tuple(tuple(command.split()) for command in commands),
        markers=tuple(tuple(group.split()) for group in markers.split("|") if group.strip()),
        **more,
    )


_JULIA = Server(
    id="julials",
    extensions=(".jl",),
    commands=(
        ("julia", "--startup-file=no", "--history-file=no", "-e",
         "using LanguageServer; runserver()"),
    ),
    markers=(("Project.toml", "Manifest.toml"),),
    runs_code=True,
)  # fmt: skip

BUILTIN: tuple[Server, ...] = (
    _server("deno", ".ts .tsx .js .jsx .mjs", "deno lsp", strict=True, runs_code=True,
            markers="deno.json deno.jsonc"),
    _server("typescript", _SCRIPT, "typescript-language-server --stdio", markers=_LOCKS,
            unless=_DENO, special=_typescript, runs_code=True),
    _server("vue", ".vue", "vue-language-server --stdio", markers=_LOCKS, runs_code=True),
    _server("eslint", f"{_SCRIPT} .vue", "vscode-eslint-language-server --stdio",
            markers=_LOCKS, special=_eslint, runs_code=True),
    _server("oxlint", f"{_SCRIPT} .vue .astro .svelte", "oxc_language_server",
            "oxlint --lsp", markers=f".oxlintrc.json {_LOCKS} package.json", runs_code=True),
    _server("biome", f"{_SCRIPT} .json .jsonc .vue .astro .svelte .css .graphql .gql .html",
            "biome lsp-proxy --stdio", markers=f"biome.json biome.jsonc {_LOCKS}",
            special=_local_first("biome", "lsp-proxy", "--stdio")),
    _server("gopls", ".go", "gopls", markers="go.work | go.mod go.sum"),
    _server("ruby-lsp", ".rb .rake .gemspec .ru", "rubocop --lsp", markers="Gemfile",
            runs_code=True),
    _server("ty", ".py .pyi", "ty server", markers=f"ty.toml {_PYTHON}", special=_ty),
    _server("pyright", ".py .pyi", "pyright-langserver --stdio", markers=_PYTHON, special=_python),
    _server("elixir-ls", ".ex .exs", "elixir-ls", markers="mix.exs mix.lock", runs_code=True),
    _server("zls", ".zig .zon", "zls", markers="build.zig", runs_code=True),
    _server("csharp", ".cs .csx", " ".join(_ROSLYN), markers=_DOTNET,
            special=_dotnet_tool(_ROSLYN[0]), runs_code=True),
    _server("razor", ".razor .cshtml", " ".join(_ROSLYN), markers=_DOTNET, special=_razor,
            runs_code=True),
    _server("fsharp", ".fs .fsi .fsx .fsscript", "fsautocomplete", markers=_DOTNET, runs_code=True),
    _server("sourcekit-lsp", ".swift .objc .objcpp", "sourcekit-lsp",
            markers="Package.swift *.xcodeproj *.xcworkspace", runs_code=True),
    _server("rust", ".rs", "rust-analyzer", markers="Cargo.toml Cargo.lock",
            widen=_cargo_workspace, runs_code=True),
    _server("clangd", ".c .cpp .cc .cxx .c++ .h .hpp .hh .hxx .h++",
            "clangd --background-index --clang-tidy",
            markers="compile_commands.json compile_flags.txt .clangd"),
    _server("svelte", ".svelte", "svelteserver --stdio", markers=_LOCKS, runs_code=True),
    _server("astro", ".astro", "astro-ls --stdio", markers=_LOCKS, special=_astro, runs_code=True),
    _server("jdtls", ".java", "jdtls",
            markers=f"{_GRADLE} | pom.xml | .project .classpath", strict=True,
            widen=_maven_parent, runs_code=True),
    _server("kotlin-ls", ".kt .kts", "kotlin-lsp --stdio", "kotlin-lsp.sh --stdio",
            markers=f"{_GRADLE} | pom.xml", runs_code=True),
    _server("yaml-ls", ".yaml .yml", "yaml-language-server --stdio", markers=_LOCKS),
    _server("lua-ls", ".lua", "lua-language-server", runs_code=True,
            markers=".luarc.json .luarc.jsonc .luacheckrc .stylua.toml stylua.toml selene.toml "
                    "selene.yml"),
    _server("php intelephense", ".php", "intelephense --stdio",
            markers="composer.json composer.lock .php-version",
            settings={"telemetry": {"enabled": False}}),
    _server("prisma", ".prisma", "prisma-language-server --stdio", "prisma language-server",
            markers="schema.prisma prisma", runs_code=True),
    _server("dart", ".dart", "dart language-server --lsp",
            markers="pubspec.yaml analysis_options.yaml", runs_code=True),
    _server("ocaml-lsp", ".ml .mli", "ocamllsp", runs_code=True,
            markers="dune-project dune-workspace .merlin opam"),
    _server("bash", ".sh .bash .zsh .ksh", "bash-language-server start"),
    _server("terraform", ".tf .tfvars", "terraform-ls serve", runs_code=True,
            markers=".terraform.lock.hcl terraform.tfstate",
            settings={"experimentalFeatures":
                      {"prefillRequiredFields": True, "validateOnSave": True}}),
    _server("texlab", ".tex .bib", "texlab",
            markers=".latexmkrc latexmkrc .texlabroot texlabroot"),
    _server("dockerfile", ".dockerfile Dockerfile", "docker-langserver --stdio"),
    _server("gleam", ".gleam", "gleam lsp", markers="gleam.toml"),
    _server("clojure-lsp", ".clj .cljs .cljc .edn", "clojure-lsp listen", runs_code=True,
            markers="deps.edn project.clj shadow-cljs.edn bb.edn build.boot"),
    _server("nixd", ".nix", "nixd", markers="flake.nix", runs_code=True),
    _server("tinymist", ".typ .typc", "tinymist", markers="typst.toml"),
    _server("haskell-language-server", ".hs .lhs", "haskell-language-server-wrapper --lsp",
            markers="stack.yaml cabal.project hie.yaml *.cabal", runs_code=True),
    _JULIA,
)  # fmt: skip
"""In OpenCode's order. Where its markers are names that no file has (``.sln``, ``*.tf``), they are
what was meant; a second group of markers is looked at, which it never does."""
