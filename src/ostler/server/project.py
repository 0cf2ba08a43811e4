"""Projects."""

import msgspec

from ostler import ids
from ostler.project import git
from ostler.schema.errors import TaggedNotFound
from ostler.schema.event import ProjectUpdated
from ostler.schema.project import Project, ProjectDirectory, ProjectUpdateInput
from ostler.server.operation import Context, operation


@operation("GET /project", "project.list", answer=list[Project])
async def list_projects(context: Context) -> list[Project]:
    await context.instance()
    return context.runtime.store.projects.all()


@operation("GET /project/current", "project.current", answer=Project)
async def current(context: Context) -> Project:
    return (await context.instance()).project


@operation(
    "PATCH /project/{projectID}",
    "project.update",
    body=ProjectUpdateInput,
    answer=Project,
    errors=(404,),
)
async def update(context: Context) -> Project:
    body: ProjectUpdateInput = context.body
    project = _known(context)
    given = {f: getattr(body, f) for f in body.__struct_fields__ if getattr(body, f) is not None}
    time = msgspec.structs.replace(project.time, updated=ids.now_ms())
    project = msgspec.structs.replace(project, **given, time=time)
    context.runtime.keep_project(project)
    fields = {name: getattr(project, name) for name in project.__struct_fields__}
    context.runtime.bus.publish(ProjectUpdated(**fields))
    return project


@operation("POST /project/git/init", "project.initGit", answer=Project)
async def init_git(context: Context) -> Project:
    """Put the directory under version control; it is a project of its own from then on."""
    instance = await context.instance()
    if instance.project.vcs is None:
        await git.checked(instance.directory, "init", "--quiet")
        await context.runtime.dispose(instance.directory)
    return (await context.runtime.instance(instance.directory)).project


@operation(
    "GET /project/{projectID}/directories",
    "project.directories",
    answer=list[ProjectDirectory],
)
async def directories(context: Context) -> list[ProjectDirectory]:
    project = context.runtime.store.projects.get(context.params["projectID"])
    if project is None:
        return []
    copies = [ProjectDirectory(path, "git_worktree") for path in project.sandboxes]
    return [*copies, ProjectDirectory(directory=project.worktree)]


def _known(context: Context) -> Project:
    project_id = context.params["projectID"]
    project = context.runtime.store.projects.get(project_id)
    if project is None:
        raise TaggedNotFound("Project", "projectID", project_id)
    return project
