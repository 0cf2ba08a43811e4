"""The original's server, to be asked what it makes of the same folder."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.support.command import free_port, kill
from tests.support.product import DEADLINE, environment

BINARY = Path(__file__).parents[1] / "clients/node_modules/opencode-linux-x64/bin/opencode"
VARIABLES = {
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    # what it would install into every configuration folder is refused at once
    "npm_config_registry": "http://127.0.0.1:9",
    "npm_config_fetch_retries": "0",
}


@asynccontextmanager
async def original(home: Path, root: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A server of the original's, with ``root`` as its directory."""
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(str(BINARY), "serve", "--port", str(port)),
        cwd=root,
        env={**environment(home, USER="someone", LOGNAME="someone"), **VARIABLES},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        said = b""
        async with asyncio.timeout(DEADLINE):
            while b"listening on" not in (line := await process.stdout.readline()):
                said += line
                assert line, said.decode()
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=DEADLINE, trust_env=False) as http:
            yield http
    finally:
        kill(process)
        await process.wait()


def is_here() -> bool:
    return os.access(BINARY, os.X_OK)
