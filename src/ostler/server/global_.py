"""What concerns no directory: health, the global configuration, disposal of everything, the log."""

import logging
from typing import Any, Literal

import msgspec

from ostler import __version__
from ostler.config import load_global_raw
from ostler.config.json_schema import config_schema
from ostler.config.validate import check
from ostler.config.write import config_file, write_keys
from ostler.disk import Room
from ostler.schema.config import Config
from ostler.schema.event import GlobalDisposed
from ostler.server.asgi import TRUE, Response, json_response
from ostler.server.operation import Context, operation

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
"""The first that exists is the one that is written (OpenCode 1.18)."""


class Health(msgspec.Struct, omit_defaults=True):
    """``disk``: where there is too little room to begin a turn."""

    healthy: bool
    version: str
    disk: Room | None = None


class LogInput(msgspec.Struct):
    service: str
    level: Literal["debug", "info", "warn", "error"]
    message: str
    extra: dict[str, Any] = {}


class UpgradeInput(msgspec.Struct):
    target: str = ""


class UpgradeRefused(msgspec.Struct):
    error: str
    success: bool = False


@operation("GET /global/health", "global.health", answer=Health)
async def health(context: Context) -> Health:
    return Health(True, __version__, context.runtime.disk.low())


@operation("POST /global/dispose", "global.dispose", answer=bool)
async def dispose(context: Context) -> Response:
    await _dispose_all(context)
    return TRUE


@operation("GET /global/config", "global.config.get", answer=Config)
async def get_config(context: Context) -> Response:
    runtime = context.runtime
    return json_response(load_global_raw(runtime.paths, runtime.environment))


@operation("PATCH /global/config", "global.config.update", body=dict[str, Any], answer=Config)
async def update_config(context: Context) -> Response:
    """Merge into the global file, comments and all; what runs is started anew with it."""
    runtime = context.runtime
    changes: dict[str, Any] = context.body
    if changes.get("shell") == "":
        changes["shell"] = None
    check({k: v for k, v in changes.items() if v is not None}, "the request's body")
    before = load_global_raw(runtime.paths, runtime.environment)
    write_keys(config_file(runtime.paths.config), changes)
    after = load_global_raw(runtime.paths, runtime.environment)
    if after != before:
        await _dispose_all(context)
    return json_response(after)


@operation("GET /schema/opencode.json", "schema.config", answer=dict[str, Any])
async def schema_of_config(context: Context) -> Response:
    """The JSON Schema of opencode.json, for editors."""
    return json_response(config_schema())


@operation("POST /log", "app.log", body=LogInput, answer=bool)
async def write_log(context: Context) -> Response:
    """A client's line in Ostler's log."""
    body: LogInput = context.body
    extra = f" {msgspec.json.encode(body.extra).decode()}" if body.extra else ""
    name = f"client.{body.service}"
    logging.getLogger(name).log(_LEVELS[body.level], "%s%s", body.message[:10_000], extra[:10_000])
    return TRUE


@operation("POST /global/upgrade", "global.upgrade", body=UpgradeInput, answer=UpgradeRefused)
async def upgrade(context: Context) -> UpgradeRefused:
    """Never done from inside: whoever installed Ostler knows how. 200, as OpenCode's document has
    it; its server answers 400."""
    return UpgradeRefused("Unknown installation method: upgrade with pip, or git pull")


async def _dispose_all(context: Context) -> None:
    await context.runtime.dispose_all()
    context.runtime.bus.publish(GlobalDisposed())
