"""Commands by name: a command's module is imported when the command is used, not before."""

import os
import sys
from importlib import import_module
from typing import Any

import typer
import typer.core
import typer.main

from ostler import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("ostler.cli.run", "Run a prompt to its end and print each step."),
    "serve": ("ostler.cli.serve", "Serve the HTTP API."),
    "drive": ("ostler.cli.drive", "Drive a server one task at a time, for scripts and agents."),
    "inspect": ("ostler.cli.inspect_", "Show how a session went, and what looks wrong."),
    "acp": ("ostler.cli.acp", "Speak the Agent Client Protocol, for editors."),
    "auth": ("ostler.cli.auth", "Keep, list and forget providers' keys and sign-ins."),
    "agent": ("ostler.cli.agent", "List the agents and their rules, make a new one."),
    "mcp": ("ostler.cli.mcp", "List MCP servers, add one, sign in."),
    "debug": ("ostler.cli.debug", "Show what Ostler makes of this place."),
    "flow": ("ostler.cli.flow", "Run staged work unattended, with evidence of each stage."),
    "models": ("ostler.cli.models", "List the models that are connected."),
    "stats": ("ostler.cli.stats", "Show what was used and what it cost."),
    "db": ("ostler.cli.db", "Ask the database, see what takes room on the disk, make it less."),
    "trust": ("ostler.cli.trust", "Let a project's own configuration run programs."),
    "try": ("ostler.cli.try_", "Watch an agent work on a scratch project; no key needed."),
}
"""Command -> the module that has it as ``app``, and its line in the list."""
_ALIASES = {"providers": "auth"}


class _Commands(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(_ALIASES.get(cmd_name, cmd_name))
        if entry is None:
            return None
        if ctx.resilient_parsing or _wants_overview():
            return typer.core.TyperCommand(cmd_name, help=entry[1])
        command = typer.main.get_command(import_module(entry[0]).app)
        command.name = cmd_name
        return command


def _wants_overview() -> bool:
    return len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help")


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", "-v", callback=_print_version, is_eager=True, help="Print the version."
    ),
    print_logs: bool = typer.Option(False, "--print-logs", help="Log to stderr."),
    log_level: str = typer.Option("INFO", "--log-level", help="DEBUG, INFO, WARN or ERROR."),
) -> None:
    """A coding-agent runtime, compatible with OpenCode."""
    from ostler.cli.logs import configure

    configure(print_logs, log_level)


def run() -> None:
    os.environ.update(AGENT="1", OPENCODE="1", OPENCODE_PID=str(os.getpid()))
    app(prog_name="ostler")
