"""Projects."""

from ostler.schema.project import Project
from ostler.server.operation import Context, operation


@operation("GET /project", "project.list", answer=list[Project])
async def list_projects(context: Context) -> list[Project]:
    await context.instance()
    return context.runtime.store.projects.all()


@operation("GET /project/current", "project.current", answer=Project)
async def current(context: Context) -> Project:
    return (await context.instance()).project
