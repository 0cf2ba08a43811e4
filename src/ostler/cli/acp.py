"""``ostler acp``: an editor's agent, over standard input and output."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ostler.runtime import Runtime

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command()
def acp(
    cwd: Annotated[str, typer.Option("--cwd", help="Directory to start in.")] = "",
    port: Annotated[int, typer.Option(help="Serve the HTTP API on this port as well.")] = 0,
    hostname: Annotated[str, typer.Option(help="Address for --port.")] = "127.0.0.1",
) -> None:
    """Speak the Agent Client Protocol over standard input and output.

    For editors (Zed, JetBrains, Neovim, Emacs): configure ``ostler acp`` as the agent's command.
    """
    from ostler.cli.failures import reported
    from ostler.cli.serve import asyncio_run

    with reported():
        asyncio_run(_acp(cwd, port, hostname))


@asynccontextmanager
async def _serving(runtime: "Runtime", hostname: str, port: int) -> AsyncIterator[None]:
    """The HTTP API beside; it says nothing on standard output, and closes the runtime when it
    ends."""
    from ostler.cli.serve import access_at, listen, server_of
    from ostler.server.app import App

    server = server_of(App(runtime, access_at(hostname, [])))
    running = asyncio.create_task(server.serve(sockets=[listen(hostname, port)]))
    try:
        yield
    finally:
        server.should_exit = True
        await running


def _check_pipes() -> None:
    """Raises Stop for a file, on which the event loop cannot wait."""
    from ostler.cli.failures import USAGE, Stop

    for stream in (sys.stdin, sys.stdout):
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise Stop(f"{stream.name} is a file: an editor speaks to `ostler acp` by pipes", USAGE)


async def _acp(cwd: str, port: int, hostname: str) -> None:
    from ostler.acp.agent import Agent
    from ostler.acp.rpc import LINE_BYTES, Connection
    from ostler.runtime import Runtime
    from ostler.server.inside import inside_app

    _check_pipes()
    # Editors have no way to answer the question tool; its absence is told by the client's name.
    environment = {**os.environ, "OPENCODE_CLIENT": "acp"}
    runtime = Runtime(cwd or None, environment=environment, inside=inside_app)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), sys.stdout
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    agent = Agent(runtime)
    runtime.start_housekeeping()
    beside = _serving(runtime, hostname, port) if port else _alone(runtime)
    async with beside:
        await agent.serve(Connection(reader, writer, agent.handle))


@asynccontextmanager
async def _alone(runtime: "Runtime") -> AsyncIterator[None]:
    try:
        yield
    finally:
        await runtime.close()
