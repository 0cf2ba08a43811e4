"""Lists across projects, and what of OpenCode's experiments a client may ask for."""

from typing import Annotated, Any, Literal

import msgspec

from ostler.schema.session import Session
from ostler.server.asgi import Response, json_response
from ostler.server.operation import Context, operation
from ostler.store.sessions import SessionQuery

Flag = Literal["true", "false"]


class GlobalQuery(msgspec.Struct):
    directory: str | None = None
    roots: Flag | None = None
    start: float | None = None
    cursor: float | None = None
    search: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 100
    archived: Flag | None = None


@operation(
    "GET /experimental/session",
    "experimental.session.list",
    query=GlobalQuery,
    answer=list[Any],
)
async def sessions(context: Context) -> Response:
    """Of all projects, newest change first, each with its project. ``cursor``: changed before it
    (ms)."""
    await context.instance()
    query: GlobalQuery = context.query
    store = context.runtime.store
    found = store.sessions.select(
        SessionQuery(
            directory=query.directory,
            roots=query.roots == "true",
            start=query.start,
            before=query.cursor,
            search=query.search,
            archived=query.archived == "true",
            limit=query.limit,
        )
    )
    summaries = {p.id: _summary(p) for p in store.projects.all()}
    return json_response([_with_project(s, summaries.get(s.projectID)) for s in found])


def _summary(project: Any) -> dict[str, str]:
    named = {"name": project.name} if project.name else {}
    return {"id": project.id, "worktree": project.worktree, **named}


def _with_project(session: Session, project: dict[str, str] | None) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(session)
    return {**plain, "project": project}


@operation(
    "POST /experimental/session/{sessionID}/background",
    "experimental.session.background",
    answer=bool,
    errors=(404,),
)
async def background(context: Context) -> Response:
    """Whether subagents were sent to the background: they never are here."""
    context.runtime.store.sessions.known(context.params["sessionID"])
    return Response(b"false")
