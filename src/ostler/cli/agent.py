"""``ostler agent``: who works here, and with which rules."""

import typer

from ostler.cli.agent_create import create

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def agent() -> None:
    """Who works here, and with which rules."""


app.command()(create)


@app.command("list")
def show() -> None:
    """List the agents with their permission rules, built-in ones first."""
    import msgspec

    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run
    from ostler.schema.agent import Agent

    async def agents() -> list[Agent]:
        async with opened() as (_, instance):
            return list(instance.agents.values())

    with reported():
        for each in sorted(asyncio_run(agents()), key=lambda a: (not a.native, a.name)):
            rules = msgspec.json.format(msgspec.json.encode(each.permission), indent=2).decode()
            print(f"{each.name} ({each.mode})")
            print("  " + rules.replace("\n", "\n  "))
