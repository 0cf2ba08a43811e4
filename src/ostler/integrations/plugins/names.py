"""The hooks there are, by the reference's names (OpenCode 1.18: types of its plugin package)."""

HOOKS = (
    "event",
    "config",
    "chat.message",
    "chat.params",
    "chat.headers",
    "permission.ask",
    "command.execute.before",
    "tool.execute.before",
    "tool.execute.after",
    "tool.definition",
    "shell.env",
    "experimental.chat.messages.transform",
    "experimental.chat.system.transform",
    "experimental.provider.small_model",
    "experimental.session.compacting",
    "experimental.compaction.autocontinue",
    "experimental.text.complete",
    "dispose",
)
"""Hooks that are functions. ``permission.ask`` is in the reference's types and never called there;
here it is."""
