"""``@file`` and ``@agent`` in prompts that a command or another agent wrote."""

import os

from ostler.config.commands import mentioned
from ostler.engine.instance import Instance
from ostler.schema.part import AgentPartInput, FilePartInput, PartInput, TextPartInput


def parts_of(instance: Instance, text: str) -> list[PartInput]:
    """The text, and a part for each file, folder or agent it mentions. Files are looked up from the
    worktree, or from home with ``~/``; a name that is neither is left alone."""
    root = instance.worktree if instance.worktree != "/" else instance.directory
    parts: list[PartInput] = [TextPartInput(text=text)]
    for name in mentioned(text):
        path = os.path.expanduser(name) if name.startswith("~/") else os.path.join(root, name)
        path = os.path.normpath(path)
        if os.path.isdir(path):
            parts.append(
                FilePartInput(mime="application/x-directory", url=f"file://{path}", filename=name)
            )
        elif os.path.isfile(path):
            parts.append(FilePartInput(mime="text/plain", url=f"file://{path}", filename=name))
        elif name in instance.agents:
            parts.append(AgentPartInput(name=name))
    return parts
