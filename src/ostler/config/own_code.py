"""What a project itself would run, and why it is not run before the user trusts the project."""

import shlex

from ostler.config.commands import runs_shell
from ostler.config.load import LoadedConfig
from ostler.config.trust import Trust
from ostler.schema.agent import Command, Skill

_DECIDE = ("type", "command", "environment", "cwd")
"""Keys of a local MCP server that decide what is run."""
_DECIDE_LSP = ("command", "env", "initialization")
"""The same of a language server: its options name compilers, interpreters and commands to check
with."""


class OwnCode:
    """``root`` is the folder that trust is given to. Each ``of_…`` says why something is held back;
    None lets it: it is not the project's, or the project is trusted, which is asked anew each
    time."""

    def __init__(self, root: str, trust: Trust, loaded: LoadedConfig) -> None:
        self.root = root
        self._trust, self._loaded = trust, loaded
        self._was_trusted = trust.holds(root)

    def is_outdated(self) -> bool:
        """Whether the project has been trusted, or no longer is, since this was made."""
        return self._trust.holds(self.root) is not self._was_trusted

    def objection(self, what: str) -> str | None:
        """Of something that is the project's."""
        if self._trust.holds(self.root):
            return None
        return (
            f"Held back: this project's configuration would run {what}, and the project is not "
            f"trusted. To trust it: ostler trust {shlex.quote(self.root)}"
        )

    def of_server(self, name: str) -> str | None:
        own = self._loaded.from_project(("mcp", name), _DECIDE)
        return self.objection(name) if own else None

    def of_command(self, command: Command, skills: list[Skill]) -> str | None:
        """Of a command's shell lines, where it has any."""
        if not runs_shell(command.template):
            return None
        if command.source == "skill":
            inside = self.root.rstrip("/") + "/"
            places = (skill.location for skill in skills if skill.name == command.name)
            own = any(place.startswith(inside) for place in places)
        else:
            own = self._loaded.from_project(("command", command.name), ("template",))
        return self.objection(f"the shell lines of /{command.name}") if own else None

    def of_plugin(self, name: str) -> str | None:
        return self.objection(f"the plugin {name}")

    def says_what_runs(self, language_server: str) -> bool:
        """Whether the project's own configuration does, for a language server."""
        return self._loaded.from_project(("lsp", language_server), _DECIDE_LSP)

    def asks_for_formatters(self) -> bool:
        """Whether the project's own configuration does."""
        return any("formatter" in source.raw for source in self._loaded.sources if source.project)
