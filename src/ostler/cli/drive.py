"""``ostler drive``: a server driven one task at a time; one line of JSON, and an exit code."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ostler.control.driver import Driver
    from ostler.control.reports import Report

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FIRST_CODE = 10
"""Exit codes of failures: this one and on, in the order of ``failures.KINDS``."""
CALL_SECONDS = 10.0

Url = Annotated[str, typer.Option("--url", help="The server; OPENCODE_API_URL, else port 4096.")]
Directory = Annotated[str, typer.Option("--dir", help="The project; the server's own if none.")]
Model = Annotated[str, typer.Option("--model", "-m", help="provider/model.")]
Agent = Annotated[str, typer.Option("--agent", help="The agent that works.")]
Session = Annotated[str, typer.Argument(help="ses_…")]
OnSession = Annotated[str, typer.Option("--session", "-s", help="A session that create made.")]
Deadline = Annotated[float, typer.Option("--deadline", help="Seconds; then it is aborted.")]
Reuse = Annotated[bool, typer.Option("--reuse", help="Allow a session that was used before.")]
Text = Annotated[list[str], typer.Argument(help="The task; - reads it from standard input.")]


@app.callback(invoke_without_command=True)
def drive(
    context: typer.Context,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Serve the commands as MCP tools on stdin and stdout.")
    ] = False,
    url: Annotated[str, typer.Option("--url", help="The server, for --mcp.")] = "",
) -> None:
    """Drive a server, Ostler's or OpenCode's, one task at a time.

    Every command prints one line of JSON: ok, what it found, and failure {kind, message, evidence}
    where something went wrong. Exit codes: 0 it went well; 1 unexpected; 2 usage; 10 and on: the
    kind of failure (docs/drive.md).
    """
    if url and not mcp:
        raise typer.BadParameter("it goes behind the command", param_hint="--url")
    if mcp:
        from ostler.cli.failures import reported
        from ostler.cli.serve import asyncio_run

        with reported():
            asyncio_run(_serve_mcp(url))
    elif context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


@app.command()
def check(
    url: Url = "",
    directory: Directory = "",
    binary: Annotated[str, typer.Option("--binary", help="The program; ostler or opencode.")] = "",
    start: Annotated[bool, typer.Option("--start", help="Start a server if none answers.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the one that was started.")] = False,
) -> None:
    """Is there a program, a server, a provider?"""
    _run(url, lambda d: d.check(binary=binary, start=start, stop=stop, directory=directory))


@app.command()
def create(
    title: Annotated[str, typer.Option("--title", help="The session's title.")] = "",
    url: Url = "",
    directory: Directory = "",
    model: Model = "",
    agent: Agent = "",
) -> None:
    """Make a fresh session, for one task."""
    _run(url, lambda d: d.create(title, agent=agent, model=model, directory=directory))


@app.command()
def send(
    text: Text,
    session: OnSession = "",
    url: Url = "",
    directory: Directory = "",
    model: Model = "",
    agent: Agent = "",
    deadline: Deadline = 60,
    reuse: Reuse = False,
    expect_json: Annotated[
        bool, typer.Option("--expect-json", help="The answer has to be JSON.")
    ] = False,
) -> None:
    """Send a task and wait for its answer."""
    said = _said(text)
    _run(
        url,
        lambda d: d.send(
            said,
            session,
            model=model,
            agent=agent,
            directory=directory,
            deadline=deadline,
            reuse=reuse,
            expect_json=expect_json,
        ),
    )


@app.command("send-async")
def send_async(
    text: Text,
    session: OnSession = "",
    url: Url = "",
    directory: Directory = "",
    model: Model = "",
    agent: Agent = "",
    deadline: Deadline = 600,
    reuse: Reuse = False,
) -> None:
    """Send a task and return at once; status has its answer."""
    said = _said(text)
    _run(
        url,
        lambda d: d.send_async(
            said,
            session,
            model=model,
            agent=agent,
            directory=directory,
            deadline=deadline,
            reuse=reuse,
        ),
    )


@app.command()
def status(
    session: Session,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for it to end.")] = 0,
    url: Url = "",
) -> None:
    """What a session does, or what it came to."""
    _run(url, lambda d: d.status(session, wait=wait))


@app.command()
def abort(session: Session, url: Url = "") -> None:
    """Stop what a session does."""
    _run(url, lambda d: d.abort(session))


@app.command()
def delete(session: Session, url: Url = "") -> None:
    """Stop a session and forget it."""
    _run(url, lambda d: d.delete(session))


@app.command("list")
def sessions(
    url: Url = "",
    directory: Directory = "",
    limit: Annotated[int, typer.Option("--limit", help="How many.")] = 50,
) -> None:
    """The newest sessions, and what they do."""
    _run(url, lambda d: d.sessions(directory=directory, limit=limit))


@app.command()
def models(url: Url = "", directory: Directory = "") -> None:
    """The models that can be asked."""
    _run(url, lambda d: d.models(directory=directory))


def _said(words: list[str]) -> str:
    from ostler.cli.failures import USAGE, reported

    text = sys.stdin.read() if words == ["-"] else " ".join(words)
    if not text.strip():
        from ostler.cli.failures import Stop

        with reported():
            raise Stop("there is no task", USAGE)
    return text


def _run(url: str, work: "Callable[[Driver], Awaitable[Report]]") -> None:
    """Print what a command answers, and end with its code."""
    import msgspec

    from ostler.cli.failures import reported
    from ostler.cli.serve import asyncio_run

    with reported():
        report = asyncio_run(_with_driver(url, work))
        print(msgspec.json.encode(report.json()).decode(), flush=True)
    sys.exit(exit_code(report))


def exit_code(report: "Report") -> int:
    from ostler.control.failures import KINDS

    return 0 if report.failure is None else FIRST_CODE + KINDS.index(report.failure.kind)


async def _with_driver(url: str, work: "Callable[[Driver], Awaitable[Any]]") -> Any:
    from pathlib import Path

    from ostler.cli.failures import USAGE, Stop
    from ostler.client import AsyncClient
    from ostler.config.paths import default_paths
    from ostler.control.driver import Driver
    from ostler.control.started import Started

    try:
        async with AsyncClient(url or None, deadline=CALL_SECONDS) as client:
            driver = Driver(client, Started(Path(default_paths().state)))
            try:
                return await work(driver)
            finally:
                await driver.close()
    except ValueError as e:
        raise Stop(str(e), USAGE) from None


async def _serve_mcp(url: str) -> None:
    from ostler.control.driver_mcp import mcp_server

    await _with_driver(url, lambda driver: mcp_server(driver).run_stdio_async())
