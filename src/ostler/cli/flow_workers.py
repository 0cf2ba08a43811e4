"""``ostler flow``: who carries runs out, when, how many at a time, and what is left of them."""

import os
from typing import Annotated

import typer

from ostler.cli.flow_shared import (
    Database,
    Directory,
    File,
    Inputs,
    Json,
    Servers,
    Tenant,
    check_plan,
    named,
    plane_of,
    print_json,
    reported,
    store_of,
    usage,
)

app = typer.Typer()


@app.command()
def worker(
    database: Database = "",
    concurrency: Annotated[int, typer.Option(help="Runs at a time.")] = 8,
) -> None:
    """Take runs from the queue, and take over those of workers that died."""
    from ostler.cli.serve import asyncio_run

    with reported():
        asyncio_run(_work(database, concurrency))


async def _work(database: str, concurrency: int) -> None:
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with plane_of(database, concurrency, takes_over=True) as plane:
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
        async with plane_of(database, concurrency, takes_over=concurrency > 0) as plane:
            unsecured = access.password is None
            await serve_app(Dashboard(plane, access), listener, "dashboard", unsecured)

    with reported():
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
        inputs = resolve_inputs(plan, dict(named(text) for text in input or []))
        place = os.path.abspath(plan.directory or directory or os.getcwd())
        urls = server or plan.servers
        if not urls:
            raise usage("a schedule needs --server: nobody would be there to start one")
        async with plane_of(database) as plane:
            await check_plan(plane, plan, urls, place, False)
            like = plane.like(plan, inputs, place, urls, False, tenant)
            await plane.schedule(name, cron, like, timezone or None)
        print(f"{name}: {plan.name} at {cron}")

    with reported():
        asyncio_run(add())


@app.command()
def schedules(database: Database = "", json: Json = False) -> None:
    """List what runs by the clock."""
    from ostler.cli.serve import asyncio_run

    async def look() -> None:
        async with plane_of(database) as plane:
            found = await plane.schedules()
        if json:
            print_json(found)
            return
        for each in found:
            print(f"{each['name']}  {each['cron']}  {each['flow']}")

    with reported():
        asyncio_run(look())


@app.command()
def unschedule(
    name: Annotated[str, typer.Argument(help="The schedule.")], database: Database = ""
) -> None:
    """Begin it no more."""
    from ostler.cli.serve import asyncio_run

    async def remove() -> None:
        async with plane_of(database) as plane:
            await plane.unschedule(name)

    with reported():
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

        async with plane_of(database) as plane:
            removed = await clean(plane.store, plane.context.worktrees, days, records)
        print(f"{removed.worktrees} worktrees and {len(removed.runs)} runs removed")

    with reported():
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

    with reported():
        known = quotas.Quotas(store_of(database))
        if remove:
            if not known.remove(key):
                raise usage(f"there is no quota {key}")
            print(f"{key}: no quota")
            return
        try:
            wanted = quotas.quota(key, concurrency, rate, per)
        except ValueError as e:
            raise usage(str(e)) from None
        known.set(wanted)
        print(wanted)


@app.command("quotas")
def show_quotas(database: Database = "", json: Json = False) -> None:
    """List the quotas."""
    from ostler.control.quotas import Quotas

    with reported():
        found = Quotas(store_of(database)).all()
        if json:
            print_json(found)
            return
        for each in found:
            print(each)
