"""The HTTP server: one module a noun; ``app.App`` serves what they declare."""

from importlib import import_module

NOUNS = (
    "auth",
    "doc",
    "copies",
    "event",
    "experimental",
    "file",
    "global_",
    "hosted",
    "instance",
    "mcp",
    "permission",
    "project",
    "provider",
    "pty",
    "question",
    "session",
    "share",
    "tool",
    "tui",
    "turn",
    "v2",
    "vcs",
    "worktree",
)


def load_operations() -> None:
    """Import every noun's module, which declares its operations."""
    for noun in NOUNS:
        import_module(f"ostler.server.{noun}")
