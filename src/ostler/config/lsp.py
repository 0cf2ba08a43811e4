"""What a configuration of language servers has to say."""

from collections.abc import Iterator
from typing import Any

BUILT_IN = frozenset((
    "deno", "typescript", "vue", "eslint", "oxlint", "biome", "gopls", "ruby-lsp", "ty", "pyright",
    "elixir-ls", "zls", "csharp", "razor", "fsharp", "sourcekit-lsp", "rust", "clangd", "svelte",
    "astro", "jdtls", "kotlin-ls", "yaml-ls", "lua-ls", "php intelephense", "prisma", "dart",
    "ocaml-lsp", "bash", "terraform", "texlab", "dockerfile", "gleam", "clojure-lsp", "nixd",
    "tinymist", "haskell-language-server", "julials",
))  # fmt: skip
"""The ids that need no further word (OpenCode 1.18)."""
_NEEDED = ("command", "extensions")


def missing(raw: Any) -> Iterator[tuple[str, str]]:
    """(id, key) of what a server that is not built in does not say."""
    servers = raw.get("lsp") if isinstance(raw, dict) else None
    for name, entry in servers.items() if isinstance(servers, dict) else ():
        if name not in BUILT_IN and not entry.get("disabled"):
            yield from ((name, key) for key in _NEEDED if entry.get(key) is None)
