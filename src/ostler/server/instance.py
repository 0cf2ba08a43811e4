"""What a directory has: its paths, configuration, agents, commands, skills; and its end."""

from typing import Any, Literal

import msgspec

from ostler.config.discover import PROJECT_FILES
from ostler.config.validate import check
from ostler.config.write import config_file, write_keys
from ostler.engine.commands import available
from ostler.schema.agent import Agent, Command, Skill
from ostler.schema.config import Config
from ostler.schema.project import Path
from ostler.server.asgi import TRUE, Response, json_response
from ostler.server.operation import Context, operation


class LSPStatus(msgspec.Struct):
    id: str
    name: str
    root: str
    status: Literal["connected", "error"]


class FormatterStatus(msgspec.Struct):
    name: str
    extensions: list[str]
    enabled: bool


@operation("GET /path", "path.get", answer=Path)
async def path(context: Context) -> Path:
    instance = await context.instance()
    paths = context.runtime.paths
    return Path(
        home=paths.home,
        state=paths.state,
        config=paths.config,
        worktree=instance.worktree,
        directory=instance.directory,
    )


@operation("GET /config", "config.get", answer=Config)
async def config(context: Context) -> Response:
    instance = await context.instance()
    return json_response(
        {"mode": {}, "agent": {}, "command": {}, "plugin": [], **instance.loaded.raw}
    )


@operation("GET /agent", "app.agents", answer=list[Agent])
async def agents(context: Context) -> list[Agent]:
    return list((await context.instance()).agents.values())


@operation("GET /command", "command.list", answer=list[Command])
async def commands(context: Context) -> list[Command]:
    return list((await available(await context.instance())).values())


@operation("GET /skill", "app.skills", answer=list[Skill])
async def skills(context: Context) -> list[Skill]:
    return (await context.instance()).skills


@operation("POST /instance/dispose", "instance.dispose", answer=bool)
async def dispose(context: Context) -> Response:
    instance = await context.instance()
    await context.runtime.dispose(instance.directory)
    return TRUE


@operation("PATCH /config", "config.update", body=dict[str, Any], answer=Config)
async def update_config(context: Context) -> Response:
    """Merge into the project's own file and start the directory anew with it; answers what was
    asked for (OpenCode 1.18, which writes a file it never reads)."""
    instance = await context.instance()
    changes: dict[str, Any] = context.body
    check({k: v for k, v in changes.items() if v is not None}, "the request's body")
    write_keys(config_file(instance.directory, PROJECT_FILES), changes)
    await context.runtime.dispose(instance.directory)
    return json_response(changes)


class Capabilities(msgspec.Struct):
    backgroundSubagents: bool


@operation("GET /experimental/capabilities", "experimental.capabilities.get", answer=Capabilities)
async def capabilities(context: Context) -> Capabilities:
    await context.instance()
    return Capabilities(backgroundSubagents=False)


@operation("GET /lsp", "lsp.status", answer=list[LSPStatus])
async def language_servers(context: Context) -> list[LSPStatus]:
    """Those that files have asked for so far; the configuration turns them on."""
    servers = (await context.instance()).language_servers.status()
    return [
        LSPStatus(s.id, s.id, s.root, "connected" if s.is_connected else "error") for s in servers
    ]


@operation("GET /formatter", "formatter.status", answer=list[FormatterStatus])
async def formatters(context: Context) -> list[FormatterStatus]:
    instance = await context.instance()
    return [FormatterStatus(*each) for each in await instance.formatters.status()]
