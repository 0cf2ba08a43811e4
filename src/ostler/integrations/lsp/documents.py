"""Files as language servers speak of them: by URI and language, positions in UTF-16 units."""

import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote, unquote, urlsplit

import msgspec

MAX_BYTES = 4 << 20
"""Bytes of a file that is shown to a language server."""

Position = dict[str, int]
"""``line`` and ``character``, from 0; characters are UTF-16 units."""

_BREAK = re.compile(r"\r\n|\r|\n")


class Text(msgspec.Struct, frozen=True):
    """A file's text, and its (modification time in ns, size) when it was read."""

    text: str
    stamp: tuple[int, int]


def read(path: str) -> Text | None:
    """None for what is no file of a fitting size."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    if len(data) > MAX_BYTES:
        return None
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    return Text(text, (found.st_mtime_ns, found.st_size))


def stamp(path: str) -> tuple[int, int] | None:
    """None where there is no such file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def end_of(text: str) -> Position:
    """The position behind the last character."""
    *before, last = _BREAK.split(text)
    return {"line": len(before), "character": len(last.encode("utf-16-le", "surrogatepass")) // 2}


def shown(text: str) -> str:
    """A file's name, fit for JSON."""
    return os.fsencode(text).decode("utf-8", "replace")


def uri_of(path: str) -> str:
    """``file:///a%20b`` of an absolute path."""
    return "file://" + quote(os.fsencode(path))


def path_of(uri: object) -> str | None:
    """The absolute path of a file URI; None for any other thing, and for a path that is no UTF-8:
    JSON cannot name it."""
    if not isinstance(uri, str) or not uri.startswith("file:"):
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    try:
        path = unquote(parts.path, errors="strict")
    except UnicodeDecodeError:
        return None
    return path if path.startswith("/") and "\0" not in path else None


def extension_of(path: str) -> str:
    """``.py``; the whole name of a file that has none, such as ``Dockerfile``."""
    name = os.path.basename(path)
    return os.path.splitext(name)[1] or name


def language_of(path: str) -> str:
    """The language's identifier (LSP 3.17, TextDocumentItem); ``plaintext`` where it is not
    known."""
    return LANGUAGES.get(extension_of(path), "plaintext")


_BY_LANGUAGE = {
    "abap": ".abap",
    "astro": ".astro",
    "bat": ".bat .cmd",
    "bibtex": ".bib .bibtex",
    "c": ".c .h",
    "clojure": ".clj .cljs .cljc .edn",
    "coffeescript": ".coffee",
    "cpp": ".cpp .cxx .cc .c++ .hpp .hh .hxx .h++",
    "csharp": ".cs .csx",
    "css": ".css",
    "d": ".d",
    "dart": ".dart",
    "diff": ".diff .patch",
    "dockerfile": ".dockerfile Dockerfile Containerfile",
    "elixir": ".ex .exs",
    "erb": ".erb",
    "erlang": ".erl .hrl",
    "fsharp": ".fs .fsi .fsx .fsscript",
    "gleam": ".gleam",
    "go": ".go",
    "graphql": ".graphql .gql",
    "groovy": ".groovy .gradle",
    "handlebars": ".hbs .handlebars",
    "haskell": ".hs .lhs",
    "hcl": ".hcl",
    "html": ".html .htm",
    "ini": ".ini",
    "jade": ".pug .jade",
    "java": ".java",
    "javascript": ".js .mjs .cjs",
    "javascriptreact": ".jsx",
    "json": ".json",
    "jsonc": ".jsonc",
    "julia": ".jl",
    "kotlin": ".kt .kts",
    "latex": ".tex .latex",
    "less": ".less",
    "lua": ".lua",
    "makefile": ".makefile Makefile makefile",
    "markdown": ".md .markdown",
    "nix": ".nix",
    "objective-c": ".m .objc",
    "objective-cpp": ".mm .objcpp",
    "ocaml": ".ml",
    "ocaml.interface": ".mli",
    "pascal": ".pas .pascal",
    "perl": ".pl .pm",
    "perl6": ".pm6",
    "php": ".php",
    "powershell": ".ps1 .psm1",
    "prisma": ".prisma",
    "python": ".py .pyi",
    "r": ".r .R",
    "razor": ".cshtml .razor",
    "ruby": ".rb .rake .gemspec .ru",
    "rust": ".rs",
    "sass": ".sass",
    "scala": ".scala",
    "scss": ".scss",
    "shaderlab": ".shader",
    "shellscript": ".sh .bash .zsh .ksh",
    "sql": ".sql",
    "svelte": ".svelte",
    "swift": ".swift",
    "terraform": ".tf",
    "terraform-vars": ".tfvars",
    "toml": ".toml",
    "typescript": ".ts .mts .cts .ets",
    "typescriptreact": ".tsx",
    "typst": ".typ .typc",
    "vue": ".vue",
    "xml": ".xml",
    "xsl": ".xsl",
    "yaml": ".yaml .yml",
    "zig": ".zig .zon",
}
LANGUAGES: Mapping[str, str] = MappingProxyType(
    {name: language for language, names in _BY_LANGUAGE.items() for name in names.split()}
)
"""Language by extension (OpenCode 1.18, with the extensions of its servers that it leaves out)."""
