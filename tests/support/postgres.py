"""PostgreSQL for a test: Debian's, in a folder of its own, on a port of its own."""

import asyncio
import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.command import free_port

REQUIRED = bool(os.environ.get("OSTLER_CLIENTS_REQUIRED"))


def programs() -> str:
    """The newest version's folder of programs, empty where there is none."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if found:
        return found[-1]
    place = shutil.which("initdb")
    return os.path.dirname(place) if place else ""


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """The URL of an empty database."""
    folder, port = tempfile.mkdtemp(prefix="ostler-pg-"), free_port()
    data = os.path.join(folder, "data")
    as_user: list[str] = []
    if os.geteuid() == 0:  # which PostgreSQL refuses to be
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_user, os.path.join(programs(), program), *arguments],
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )

    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    await asyncio.to_thread(run, "initdb", "-D", data, "-A", "trust", "-U", "ostler")
    await asyncio.to_thread(
        run, "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"
    )
    try:
        yield f"postgresql://ostler@127.0.0.1:{port}/postgres"
    finally:
        await asyncio.to_thread(run, "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
