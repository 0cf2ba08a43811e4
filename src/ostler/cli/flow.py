"""``ostler flow``: unattended runs that end in evidence or in a named failure.

Exit codes of a run: 0 it passed, 20 it failed, 21 it needs a person, 22 it was cancelled or paused.
2 is a mistake in the file or on the command line, 5 a server that cannot be reached.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.control.plane import ControlPlane
    from ostler.control.store import ControlStore, Run

FAILED, ESCALATED, STOPPED = 20, 21, 22
EXITS = {"passed": 0, "failed": FAILED, "escalated": ESCALATED}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="OSTLER_DATABASE",
        help="PostgreSQL's URL, for many workers; else a file in the data folder.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
File = Annotated[Path, typer.Argument(help="The flow file (YAML).", dir_okay=False)]
Inputs = Annotated[list[str] | None, typer.Option("--input", "-i", help="An input, as name=value.")]
Servers = Annotated[
    list[str] | None,
    typer.Option("--server", "-s", envvar="OPENCODE_API_URL", help="A server's URL."),
]
Directory = Annotated[str, typer.Option("--dir", help="Where to work.")]
Tenant = Annotated[
    str, typer.Option("--tenant", envvar="OSTLER_TENANT", help="For whom it is; see flow quota.")
]
RunId = Annotated[str, typer.Argument(help="The run's id, or how it begins.")]


@app.callback()
def flow() -> None:
    """Run staged work unattended, and see what came of it."""


@app.command()
def run(
    file: File,
    input: Inputs = None,
    server: Servers = None,
    directory: Directory = "",
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave it to the workers, and print its id.")
    ] = False,
    attended: Annotated[
        bool, typer.Option("--attended", help="A person will answer what is asked.")
    ] = False,
    tenant: Tenant = "",
    database: Database = "",
    json: Json = False,
) -> None:
    """Carry a flow out, and show how it goes."""
    from ostler.cli.serve import asyncio_run

    with _reported():
        wanted = _Wanted(
            file, input or [], server or [], directory, detach, attended, tenant, database, json
        )
        sys.exit(asyncio_run(_run(wanted)))


class _Wanted:
    def __init__(
        self,
        file: Path,
        inputs: list[str],
        servers: list[str],
        directory: str,
        detach: bool,
        attended: bool,
        tenant: str,
        database: str,
        json: bool,
    ) -> None:
        self.file, self.inputs, self.servers = file, inputs, servers
        self.directory = os.path.abspath(directory or os.getcwd())
        self.detach, self.attended, self.tenant = detach, attended, tenant
        self.database, self.json = database, json


async def _run(wanted: _Wanted) -> int:
    from ostler.cli.flow_server import served
    from ostler.control.plan_file import read_plan, resolve_inputs

    plan = read_plan(str(wanted.file))
    inputs = resolve_inputs(plan, dict(_named(text) for text in wanted.inputs))
    directory = os.path.abspath(plan.directory or wanted.directory)
    urls = wanted.servers or plan.servers
    if wanted.detach and not urls:
        raise _usage("--detach needs --server: nobody would stay to run one")
    async with served(urls, directory) as servers, _plane(wanted.database) as plane:
        await _preflight(plane, plan, servers, directory, wanted.attended)
        run = await plane.add(plan, inputs, directory, servers, wanted.attended, wanted.tenant)
        await plane.start(run, queued=wanted.detach)
        if wanted.detach:
            print(run.id)
            return 0
        return await _follow(plane, run.id, wanted.json)


async def _preflight(
    plane: "ControlPlane", plan: Any, servers: list[str], directory: str, attended: bool
) -> None:
    """Raises PreflightError for a run that would get stuck, before anything is spent."""
    from ostler.control.preflight import check_run

    await check_run(plane.context.pool, plan, servers, directory, attended)


@app.command()
def preflight(
    file: File,
    server: Servers = None,
    directory: Annotated[str, typer.Option("--dir", help="Where it would work.")] = "",
    attended: Annotated[bool, typer.Option("--attended")] = False,
) -> None:
    """Say what would stop a flow, without starting it."""
    from ostler.cli.serve import asyncio_run

    async def look() -> None:
        from ostler.cli.flow_server import served
        from ostler.control.plan_file import read_plan

        plan = read_plan(str(file))
        place = os.path.abspath(plan.directory or directory or os.getcwd())
        async with served(server or plan.servers, place) as servers, _plane("") as plane:
            await _preflight(plane, plan, servers, place, attended)
        print(f"{plan.name}: {len(plan.stages)} stages, ready to run")

    with _reported():
        asyncio_run(look())


@app.command("list")
def show_all(database: Database = "", json: Json = False) -> None:
    """List the runs, the newest first."""

    with _reported():
        runs = _store(database).runs()
        if json:
            _print_json(runs)
            return
        for each in runs:
            print(f"{each.id}  {each.status:<10} {_ago(each.created)}  {each.name}")


@app.command()
def show(run_id: RunId, database: Database = "", json: Json = False) -> None:
    """Show a run: its stages, attempts, failures and cost."""

    with _reported():
        store = _store(database)
        found = store.run(run_id)
        if json:
            _print_json(_whole(store, found))
            return
        _print_run(store, found)


@app.command()
def logs(run_id: RunId, database: Database = "") -> None:
    """Print what each attempt said, and the evidence of its checks."""

    with _reported():
        store = _store(database)
        for attempt in store.attempts(store.run(run_id).id):
            print(f"── {attempt.title}  {attempt.status}  {attempt.server} {attempt.session}")
            if attempt.text:
                print(attempt.text)
            for check in attempt.checks:
                print(f"[check {check['name']}: {'passed' if check['passed'] else check['why']}]")
                for ran in check["runs"]:
                    print(ran["output"], end="")
            if attempt.failure:
                print(f"[{attempt.failure['kind']}: {attempt.failure['message']}]")


@app.command()
def answer(
    run_id: RunId,
    reply: Annotated[str, typer.Argument(help="once, always or reject; a question's answer.")],
    database: Database = "",
) -> None:
    """Answer what a run waits for."""
    from ostler.cli.serve import asyncio_run

    with _reported():
        store = _store(database)
        found = store.run(run_id)
        waiting = [a for a in store.attempts(found.id) if a.waiting]
        if not waiting:
            raise _usage(f"{found.id} waits for nobody")
        asyncio_run(_answer(waiting[0], reply))


async def _answer(attempt: Any, reply: str) -> None:
    from ostler.client import AsyncClient
    from ostler.control.asks import answer

    async with AsyncClient(attempt.server) as client:
        await answer(client, attempt, reply)


@app.command()
def cancel(run_id: RunId, database: Database = "") -> None:
    """End a run now; what it does is aborted."""
    _end(run_id, "cancelled", database)


@app.command()
def pause(run_id: RunId, database: Database = "") -> None:
    """Let what goes on come to its end, and begin nothing new."""
    _end(run_id, "paused", database)


def _end(run_id: str, status: str, database: str) -> None:
    from ostler.cli.serve import asyncio_run
    from ostler.control.plane import end_run
    from ostler.control.pool import Pool

    async def end() -> None:
        store, pool = _store(database), Pool()
        try:
            print(f"{await end_run(store, pool, store.run(run_id), status)} {status}")
        finally:
            await pool.close()

    with _reported():
        asyncio_run(end())


@app.command()
def resume(run_id: RunId, database: Database = "", json: Json = False) -> None:
    """Go on with a run that was paused, cancelled, or whose process died."""
    _again(run_id, None, database, json)


@app.command()
def retry(
    run_id: RunId,
    stage: Annotated[str, typer.Argument(help="The stage to begin with again.")] = "",
    database: Database = "",
    json: Json = False,
) -> None:
    """Carry out again what did not pass, or a stage and all that need it."""
    _again(run_id, stage or None, database, json)


@app.command()
def fork(
    run_id: RunId,
    stage: Annotated[str, typer.Argument(help="The first stage to carry out anew.")] = "",
    input: Inputs = None,
    database: Database = "",
    json: Json = False,
) -> None:
    """Go on in a new run from what a run has passed; the old one stays as it is."""
    from ostler.cli.serve import asyncio_run

    async def go_on() -> int:
        from ostler.cli.flow_server import served, still_there
        from ostler.control.plan_file import resolve_inputs

        found = _store(database).run(run_id)
        given = dict(_named(text) for text in input or [])
        inputs = resolve_inputs(found.described, {**found.inputs, **given})
        there = await still_there(found.servers)
        async with served(there, found.directory) as servers, _plane(database) as plane:
            found.servers = servers
            fresh = await plane.fork(found, stage or None, inputs)
            print(fresh.id, file=sys.stderr)
            await plane.start(fresh)
            return await _follow(plane, fresh.id, json)

    with _reported():
        sys.exit(asyncio_run(go_on()))


def _again(run_id: str, stage: str | None, database: str, json: bool) -> None:
    from ostler.cli.serve import asyncio_run

    with _reported():
        sys.exit(asyncio_run(_restart(run_id, stage, database, json)))


async def _restart(run_id: str, stage: str | None, database: str, json: bool) -> int:
    from ostler.cli.flow_server import served, still_there
    from ostler.control.store import OVER

    found = _store(database).run(run_id)
    there = await still_there(found.servers)
    async with served(there, found.directory) as servers, _plane(database) as plane:
        if servers != found.servers:
            found.servers = servers
            plane.store.save_run(found)
        if found.status in OVER:
            await plane.restart(found, stage)
        else:
            await plane.take_over()
        return await _follow(plane, found.id, json)


@app.command()
def export(
    run_id: RunId,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    database: Database = "",
) -> None:
    """Write a run with its evidence: .json, or .html to read."""

    with _reported():
        store = _store(database)
        found = store.run(run_id)
        if output.suffix == ".html":
            from ostler.control.kept import view_of
            from ostler.control.report import html

            output.write_text(html(view_of(store, found)), encoding="utf-8")
        else:
            import msgspec

            output.write_bytes(msgspec.json.encode(_whole(store, found)))
        print(output)


@app.command()
def worker(
    database: Database = "",
    concurrency: Annotated[int, typer.Option(help="Runs at a time.")] = 8,
) -> None:
    """Take runs from the queue, and take over those of workers that died."""
    from ostler.cli.serve import asyncio_run

    with _reported():
        asyncio_run(_work(database, concurrency))


async def _work(database: str, concurrency: int) -> None:
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _plane(database, concurrency, takes_over=True) as plane:
        print(f"worker {plane.id} takes up to {concurrency} runs at a time", flush=True)
        await stop.wait()


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port.")] = 4097,
    hostname: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    concurrency: Annotated[
        int, typer.Option(help="Runs that it carries out at a time itself; 0: it only shows them.")
    ] = 8,
    database: Database = "",
) -> None:
    """Serve the dashboard: runs as pages and as JSON, begun, answered and ended there.

    With OPENCODE_SERVER_PASSWORD set every request needs it; it must be set to listen on anything
    but this machine.
    """
    from ostler.cli.serve import access_at, asyncio_run, listen, serve_app

    async def work() -> None:
        from ostler.control.dashboard import Dashboard

        access = access_at(hostname, [])
        listener = listen(hostname, port)
        async with _plane(database, concurrency, takes_over=concurrency > 0) as plane:
            unsecured = access.password is None
            await serve_app(Dashboard(plane, access), listener, "dashboard", unsecured)

    with _reported():
        asyncio_run(work())


@app.command()
def schedule(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    cron: Annotated[str, typer.Argument(help='When, such as "0 3 * * *".')],
    file: File,
    input: Inputs = None,
    server: Servers = None,
    directory: Directory = "",
    timezone: Annotated[str, typer.Option(help="Of the times, such as Europe/Rome.")] = "",
    tenant: Tenant = "",
    database: Database = "",
) -> None:
    """Let the workers begin a flow by the clock."""
    from ostler.cli.serve import asyncio_run

    async def add() -> None:
        from ostler.control.plan_file import read_plan, resolve_inputs

        plan = read_plan(str(file))
        inputs = resolve_inputs(plan, dict(_named(text) for text in input or []))
        place = os.path.abspath(plan.directory or directory or os.getcwd())
        urls = server or plan.servers
        if not urls:
            raise _usage("a schedule needs --server: nobody would be there to start one")
        async with _plane(database) as plane:
            await _preflight(plane, plan, urls, place, False)
            like = plane.like(plan, inputs, place, urls, False, tenant)
            await plane.schedule(name, cron, like, timezone or None)
        print(f"{name}: {plan.name} at {cron}")

    with _reported():
        asyncio_run(add())


@app.command()
def schedules(database: Database = "", json: Json = False) -> None:
    """List what runs by the clock."""
    from ostler.cli.serve import asyncio_run

    async def look() -> None:
        async with _plane(database) as plane:
            found = await plane.schedules()
        if json:
            _print_json(found)
            return
        for each in found:
            print(f"{each['name']}  {each['cron']}  {each['flow']}")

    with _reported():
        asyncio_run(look())


@app.command()
def unschedule(
    name: Annotated[str, typer.Argument(help="The schedule.")], database: Database = ""
) -> None:
    """Begin it no more."""
    from ostler.cli.serve import asyncio_run

    async def remove() -> None:
        async with _plane(database) as plane:
            await plane.unschedule(name)

    with _reported():
        asyncio_run(remove())


@app.command("clean")
def clean_up(
    days: Annotated[float, typer.Option(help="Only after runs that were over by then.")] = 14.0,
    records: Annotated[
        bool, typer.Option("--records", help="The runs themselves too, with all they said.")
    ] = False,
    database: Database = "",
) -> None:
    """Remove the worktrees of old runs. What passed stays on its branch."""
    from ostler.cli.serve import asyncio_run

    async def work() -> None:
        from ostler.control.cleaning import clean

        async with _plane(database) as plane:
            removed = await clean(plane.store, plane.context.worktrees, days, records)
        print(f"{removed.worktrees} worktrees and {len(removed.runs)} runs removed")

    with _reported():
        asyncio_run(work())


@app.command()
def quota(
    key: Annotated[str, typer.Argument(help="server:URL, provider:ID or tenant:NAME; * is each.")],
    concurrency: Annotated[int | None, typer.Option(help="Attempts at a time.")] = None,
    rate: Annotated[int | None, typer.Option(help="Attempts that begin within --per.")] = None,
    per: Annotated[float, typer.Option(help="Seconds.")] = 60.0,
    remove: Annotated[bool, typer.Option("--remove", help="Take the quota away.")] = False,
    database: Database = "",
) -> None:
    """Say how many attempts a server, a provider or a tenant may have, of all workers together."""
    from ostler.control import quotas

    with _reported():
        known = quotas.Quotas(_store(database))
        if remove:
            if not known.remove(key):
                raise _usage(f"there is no quota {key}")
            print(f"{key}: no quota")
            return
        try:
            wanted = quotas.quota(key, concurrency, rate, per)
        except ValueError as e:
            raise _usage(str(e)) from None
        known.set(wanted)
        print(wanted)


@app.command("quotas")
def show_quotas(database: Database = "", json: Json = False) -> None:
    """List the quotas."""
    from ostler.control.quotas import Quotas

    with _reported():
        found = Quotas(_store(database)).all()
        if json:
            _print_json(found)
            return
        for each in found:
            print(each)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a flow file, for editors."""
    from ostler.control.plan_file import write_schema

    print(write_schema(), end="")


# ── what the commands share ───────────────────────────────────────────────────────────────────


@contextmanager
def _reported() -> Iterator[None]:
    """Errors as elsewhere; a caller's mistakes are told apart from what went wrong."""
    from ostler.cli.failures import PROVIDER, USAGE, Stop, reported
    from ostler.client import ClientError
    from ostler.control.preflight import PreflightError
    from ostler.control.problems import PlanError
    from ostler.control.store import ControlError, UnknownRun

    with reported():
        try:
            yield
        except (PlanError, PreflightError, ControlError, UnknownRun) as e:
            raise Stop(str(e), USAGE) from None
        except ClientError as e:
            raise Stop(str(e), PROVIDER) from None


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise _usage(f"--input {text}: expected name=value")
    return name, value


def _usage(message: str) -> Exception:
    from ostler.cli.failures import USAGE, Stop

    return Stop(message, USAGE)


def _data() -> str:
    from ostler.config.paths import default_paths

    paths = default_paths()
    paths.ensure()
    return paths.data


def _store(database: str) -> "ControlStore":
    from ostler.control.plane import database_url
    from ostler.control.store import ControlStore

    return ControlStore(database_url(_data(), database))


def _plane(database: str, concurrency: int = 0, takes_over: bool = False) -> "ControlPlane":
    from ostler.control.plane import ControlPlane, database_url

    data = _data()
    return ControlPlane(database_url(data, database), data, os.environ, concurrency, takes_over)


async def _follow(plane: "ControlPlane", run_id: str, json: bool) -> int:
    """Show how a run goes until it is over; its exit code."""
    from ostler.cli.flow_view import follow

    done = await follow(plane.store, run_id, quiet=json)
    if json:
        _print_json(_whole(plane.store, done))
    return EXITS.get(done.status, STOPPED)


def _whole(store: "ControlStore", found: "Run") -> dict[str, Any]:
    from ostler.control.kept import whole

    return whole(store, found)


def _print_json(value: Any) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _print_run(store: "ControlStore", found: "Run") -> None:
    from ostler.cli.flow_view import lines

    print("\n".join(lines(store, found)))


def _ago(when: float) -> str:
    import time

    seconds = time.time() - when
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
