"""``ostler flow``: unattended runs that end in evidence or in a named failure.

Exit codes of a run: 0 it passed, 20 it failed, 21 it needs a person, 22 it was cancelled or paused.
2 is a mistake in the file or on the command line, 5 a server that cannot be reached.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ostler.cli import flow_workers
from ostler.cli.flow_shared import (
    Database,
    Directory,
    File,
    Inputs,
    Json,
    RunId,
    Servers,
    Tenant,
    ago,
    check_plan,
    follow,
    named,
    plane_of,
    print_json,
    print_run,
    reported,
    store_of,
    usage,
    whole_of,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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

    with reported():
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
    inputs = resolve_inputs(plan, dict(named(text) for text in wanted.inputs))
    directory = os.path.abspath(plan.directory or wanted.directory)
    urls = wanted.servers or plan.servers
    if wanted.detach and not urls:
        raise usage("--detach needs --server: nobody would stay to run one")
    async with served(urls, directory) as servers, plane_of(wanted.database) as plane:
        await check_plan(plane, plan, servers, directory, wanted.attended)
        run = await plane.add(plan, inputs, directory, servers, wanted.attended, wanted.tenant)
        await plane.start(run, queued=wanted.detach)
        if wanted.detach:
            print(run.id)
            return 0
        return await follow(plane, run.id, wanted.json)


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
        async with served(server or plan.servers, place) as servers, plane_of("") as plane:
            await check_plan(plane, plan, servers, place, attended)
        print(f"{plan.name}: {len(plan.stages)} stages, ready to run")

    with reported():
        asyncio_run(look())


@app.command("list")
def show_all(database: Database = "", json: Json = False) -> None:
    """List the runs, the newest first."""

    with reported():
        runs = store_of(database).runs()
        if json:
            print_json(runs)
            return
        for each in runs:
            print(f"{each.id}  {each.status:<10} {ago(each.created)}  {each.name}")


@app.command()
def show(run_id: RunId, database: Database = "", json: Json = False) -> None:
    """Show a run: its stages, attempts, failures and cost."""

    with reported():
        store = store_of(database)
        found = store.run(run_id)
        if json:
            print_json(whole_of(store, found))
            return
        print_run(store, found)


@app.command()
def logs(run_id: RunId, database: Database = "") -> None:
    """Print what each attempt said, and the evidence of its checks."""

    with reported():
        store = store_of(database)
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

    with reported():
        store = store_of(database)
        found = store.run(run_id)
        waiting = [a for a in store.attempts(found.id) if a.waiting]
        if not waiting:
            raise usage(f"{found.id} waits for nobody")
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
        store, pool = store_of(database), Pool()
        try:
            print(f"{await end_run(store, pool, store.run(run_id), status)} {status}")
        finally:
            await pool.close()

    with reported():
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

        found = store_of(database).run(run_id)
        given = dict(named(text) for text in input or [])
        inputs = resolve_inputs(found.described, {**found.inputs, **given})
        there = await still_there(found.servers)
        async with served(there, found.directory) as servers, plane_of(database) as plane:
            found.servers = servers
            fresh = await plane.fork(found, stage or None, inputs)
            print(fresh.id, file=sys.stderr)
            await plane.start(fresh)
            return await follow(plane, fresh.id, json)

    with reported():
        sys.exit(asyncio_run(go_on()))


def _again(run_id: str, stage: str | None, database: str, json: bool) -> None:
    from ostler.cli.serve import asyncio_run

    with reported():
        sys.exit(asyncio_run(_restart(run_id, stage, database, json)))


async def _restart(run_id: str, stage: str | None, database: str, json: bool) -> int:
    from ostler.cli.flow_server import served, still_there
    from ostler.control.store import OVER

    found = store_of(database).run(run_id)
    there = await still_there(found.servers)
    async with served(there, found.directory) as servers, plane_of(database) as plane:
        if servers != found.servers:
            found.servers = servers
            plane.store.save_run(found)
        if found.status in OVER:
            await plane.restart(found, stage)
        else:
            await plane.take_over()
        return await follow(plane, found.id, json)


@app.command()
def export(
    run_id: RunId,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    database: Database = "",
) -> None:
    """Write a run with its evidence: .json, or .html to read."""

    with reported():
        store = store_of(database)
        found = store.run(run_id)
        if output.suffix == ".html":
            from ostler.control.kept import view_of
            from ostler.control.report import html

            output.write_text(html(view_of(store, found)), encoding="utf-8")
        else:
            import msgspec

            output.write_bytes(msgspec.json.encode(whole_of(store, found)))
        print(output)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a flow file, for editors."""
    from ostler.control.plan_file import write_schema

    print(write_schema(), end="")


app.add_typer(flow_workers.app)
