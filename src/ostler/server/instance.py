"""What a directory has: its paths, configuration, agents, commands, skills; and its end."""

from ostler.schema.agent import Agent, Command, Skill
from ostler.schema.config import Config
from ostler.schema.project import Path
from ostler.server.asgi import TRUE, Response, json_response
from ostler.server.operation import Context, operation


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
    return json_response({"mode": {}, **context.runtime.loaded_config(instance).raw})


@operation("GET /agent", "app.agents", answer=list[Agent])
async def agents(context: Context) -> list[Agent]:
    return list((await context.instance()).agents.values())


@operation("GET /command", "command.list", answer=list[Command])
async def commands(context: Context) -> list[Command]:
    return list((await context.instance()).commands.values())


@operation("GET /skill", "app.skills", answer=list[Skill])
async def skills(context: Context) -> list[Skill]:
    return (await context.instance()).skills


@operation("POST /instance/dispose", "instance.dispose", answer=bool)
async def dispose(context: Context) -> Response:
    instance = await context.instance()
    await context.runtime.dispose(instance.directory)
    return TRUE
