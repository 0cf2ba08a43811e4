"""``ostler debug agent``: an agent as it works, and one call of a tool as it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.engine.instance import Instance
    from ostler.schema.agent import Agent
    from ostler.tools.tool import Tool


def agent(
    name: Annotated[str, typer.Argument(help="The agent.")],
    tool: Annotated[str, typer.Option("--tool", help="Call this tool, and print its answer.")] = "",
    params: Annotated[
        str, typer.Option("--params", help="Its arguments: JSON, or an object of JavaScript.")
    ] = "",
) -> None:
    """Print an agent as it works: its rules, and which tools it is offered.

    With --tool that tool is called. What the agent's rules deny is denied; nothing is asked.
    """
    import msgspec

    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def answer() -> dict[str, Any]:
        async with opened() as (_, instance):
            await instance.models.open()
            chosen = instance.agent(name)
            offered = _offered(instance, chosen)
            if tool:
                return await _call(instance, chosen, offered, tool, params)
            builtins: dict[str, Any] = msgspec.to_builtins(chosen)
            return {**builtins, "tools": {key: key in offered for key in sorted(instance.tools)}}

    with reported():
        answered = msgspec.json.encode(asyncio_run(answer()))
        print(msgspec.json.format(answered, indent=2).decode())


def _offered(instance: "Instance", chosen: "Agent") -> "dict[str, Tool]":
    from ostler.engine.offer import offered_to

    own, models = chosen.model, instance.models
    model = models.get(own.providerID, own.modelID) if own else models.default()
    return offered_to(instance, chosen, model)


async def _call(
    instance: "Instance", chosen: "Agent", offered: "dict[str, Tool]", tool: str, params: str
) -> dict[str, Any]:
    """Raises Stop, ToolError and ConfigJsonError."""
    import msgspec

    from ostler.cli.failures import USAGE, Stop
    from ostler.engine.direct import call_directly

    if tool not in instance.tools:
        raise Stop(f"Tool {tool} not found. There are: {', '.join(instance.tools)}", USAGE)
    if tool not in offered:
        raise Stop(f"Tool {tool} is not offered to agent {chosen.name}", USAGE)
    arguments = _arguments(params)
    result = await call_directly(instance, chosen, offered[tool], arguments)
    shown = {"title": result.title, "output": result.output, "metadata": result.metadata}
    if result.attachments:
        shown["attachments"] = msgspec.to_builtins(result.attachments)
    return {"tool": tool, "input": arguments, "result": shown}


def _arguments(text: str) -> dict[str, Any]:
    """Raises Stop."""
    from ostler.cli.failures import USAGE, Stop
    from ostler.config.literal import parse_literal
    from ostler.schema.errors import ConfigJsonError

    try:
        found = parse_literal(text, "--params")
    except ConfigJsonError as e:
        raise Stop(str(e), USAGE) from None
    if not isinstance(found, dict):
        raise Stop("--params: expected an object", USAGE)
    return found
