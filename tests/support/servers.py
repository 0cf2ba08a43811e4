"""The product's server or the original's, for what must work with both."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tests.support.model_server import ModelServer, Script
from tests.support.original import is_here, original
from tests.support.product import serving, with_model
from tests.support.repository import make_repository

OSTLER = "ostler"
ORIGINAL = "original"
BOTH = [
    OSTLER,
    pytest.param(
        ORIGINAL, marks=pytest.mark.skipif(not is_here(), reason="the original is not here")
    ),
]


class Server(msgspec.Struct):
    url: str
    model: ModelServer
    root: Path

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])


@asynccontextmanager
async def server_of(
    kind: str, tmp_path: Path, script: Script = (), **config: object
) -> AsyncIterator[Server]:
    """A server of that kind for a fresh project."""
    if kind == OSTLER:
        async with serving(tmp_path, script, config=config) as ostler:
            yield Server(str(ostler.http.base_url), ostler.model, ostler.root)
        return
    root, home = tmp_path / "project", tmp_path / "home"
    make_repository(root, {"README.md": "A project.\n"})
    async with ModelServer(script) as model:
        folder = home / ".config/opencode"
        folder.mkdir(parents=True)
        (folder / "opencode.json").write_text(json.dumps(with_model(model.url, config)))
        async with original(home, root) as http:
            yield Server(str(http.base_url), model, root)
