"""``ostler mcp``: the configured MCP servers, and signing in to them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.engine.instance import Instance
    from ostler.events import Subscription
    from ostler.schema.mcp import MCPStatus

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SHOWN = {
    "connected": ("✓", "connected"),
    "disabled": ("○", "disabled"),
    "needs_auth": ("⚠", "needs authentication"),
    "needs_client_registration": ("✗", "needs client registration"),
    "failed": ("✗", "failed"),
}


@app.callback()
def mcp() -> None:
    """The configured MCP servers, and signing in to them."""


@app.command("list")
def show() -> None:
    """Connect to every server that is enabled and say how that went."""
    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def statuses() -> tuple[dict[str, "MCPStatus"], dict[str, Any]]:
        async with opened() as (_, instance):
            return await instance.mcp.status(), dict(instance.config.mcp or {})

    with reported():
        found, configured = asyncio_run(statuses())
        print("┌  MCP Servers", "│", sep="\n")
        for name, status in found.items():
            entry = configured[name]
            mark, words = _SHOWN[_kind(status)]
            error = getattr(status, "error", None)
            where = entry.url or " ".join(entry.command or ())
            print(f"●  {mark} {name} {words}")
            for line in filter(None, (error, where)):
                print(f"│      {line}")
            print("│")
        print(f"└  {len(found)} server(s)")


app.command("ls", hidden=True)(show)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the server is called here.")],
    command: Annotated[
        list[str] | None, typer.Argument(help="A local server's program, after --.")
    ] = None,
    url: Annotated[str, typer.Option("--url", help="A remote server's address.")] = "",
    env: Annotated[
        list[str] | None, typer.Option("--env", help="NAME=VALUE, for a local server.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", help="NAME=VALUE, for a remote server.")
    ] = None,
) -> None:
    """Add a server to the global configuration: --url ADDRESS, or -- COMMAND ARGUMENTS."""
    from ostler.cli.failures import USAGE, Stop, reported
    from ostler.config.paths import default_paths
    from ostler.config.write import config_file, write_keys

    with reported():
        if bool(url) == bool(command):
            raise Stop("Give either --url ADDRESS or -- COMMAND ARGUMENTS", USAGE)
        entry: dict[str, Any]
        if url:
            entry = {"type": "remote", "url": url}
            if header:
                entry["headers"] = _pairs("--header", header)
        else:
            entry = {"type": "local", "command": command}
            if env:
                entry["environment"] = _pairs("--env", env)
        path = config_file(default_paths().config)
        write_keys(path, {"mcp": {name: entry}})
        print(f'MCP server "{name}" added to {path}')


@app.command()
def auth(
    name: Annotated[str, typer.Argument(help="The server; 'list' shows how each fares.")],
) -> None:
    """Sign in to a remote server."""
    import asyncio

    from ostler.cli.failures import CREDENTIAL, Stop, reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def sign_in() -> "MCPStatus":
        async with opened() as (runtime, instance):
            _check(instance, name)
            with runtime.bus.subscribe() as events:
                telling = asyncio.create_task(_tell_address(events))
                try:
                    return await instance.mcp.authenticate(name)
                finally:
                    telling.cancel()

    with reported():
        if name == "list":
            show()
            return
        status = asyncio_run(sign_in())
        if _kind(status) != "connected":
            said = getattr(status, "error", None) or _SHOWN[_kind(status)][1]
            raise Stop(f"Not signed in to {name}: {said}", CREDENTIAL)
        print(f"Signed in to {name}")


@app.command()
def logout(name: Annotated[str, typer.Argument(help="The server.")]) -> None:
    """Forget the sign-in to a server."""
    from ostler.cli.failures import reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def forget() -> None:
        async with opened() as (_, instance):
            _check(instance, name)
            await instance.mcp.remove_auth(name)

    with reported():
        asyncio_run(forget())
        print(f"Logged out from {name}")


@app.command()
def debug(name: Annotated[str, typer.Argument(help="The server.")]) -> None:
    """Connect to one server and show what it offers."""
    from ostler.cli.failures import UNEXPECTED, Stop, reported
    from ostler.cli.opened import opened
    from ostler.cli.serve import asyncio_run

    async def look() -> tuple["MCPStatus", list[str]]:
        async with opened() as (_, instance):
            _check(instance, name)
            await instance.mcp.connect(name)
            status = (await instance.mcp.status())[name]
            connection = instance.mcp.connected().get(name)
            if connection is None:
                return status, []
            offer = connection.offer
            tools = [f"tool    {tool.name}" for tool in offer.tools]
            return status, [*tools, *(f"prompt  {prompt.name}" for prompt in offer.prompts)]

    with reported():
        status, offered = asyncio_run(look())
        if _kind(status) != "connected":
            said = getattr(status, "error", None) or _SHOWN[_kind(status)][1]
            raise Stop(f"{name}: {said}", UNEXPECTED)
        print(f"{name} connected", *offered, sep="\n")


def _kind(status: "MCPStatus") -> str:
    return str(type(status).__struct_config__.tag)


def _check(instance: "Instance", name: str) -> None:
    """Raises Stop for a server that nobody configured."""
    from ostler.cli.failures import USAGE, Stop

    known = sorted(instance.config.mcp or {})
    if name not in known:
        raise Stop(f"MCP server not found: {name}. Configured: {', '.join(known) or 'none'}", USAGE)


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    from ostler.cli.failures import USAGE, Stop

    pairs = [text.partition("=") for text in given]
    for name, mark, _ in pairs:
        if not name or not mark:
            raise Stop(f"{option}: expected NAME=VALUE, got {name!r}", USAGE)
    return {name: value for name, _, value in pairs}


async def _tell_address(events: "Subscription") -> None:
    """Say where to go, where no browser could be opened."""
    while True:
        for event in (await events.next()).events:
            if event.kind == "mcp.browser.open.failed":
                print(f"Go to: {event.properties.url}", flush=True)  # type: ignore[attr-defined]
