"""Sessions: create, list, read, change, delete, copy, take back."""

from typing import Annotated, Any

import msgspec

from ostler.engine import revert as reverts
from ostler.engine import sessions
from ostler.schema.base import MessageID, NonNegative
from ostler.schema.errors import BadRequest, NotFound
from ostler.schema.message import UserMessage
from ostler.schema.session import (
    Session,
    SessionCreateInput,
    SessionForkInput,
    SessionRevertInput,
    SessionStatus,
    SessionUpdateInput,
    SnapshotFileDiff,
    Todo,
)
from ostler.server.asgi import TRUE, Response
from ostler.server.operation import Context, operation
from ostler.store.sessions import SessionQuery

ORDINARY_LIMIT = 100


class ListQuery(msgspec.Struct):
    directory: str | None = None
    workspace: str | None = None
    scope: str | None = None
    path: str | None = None
    roots: bool | None = None
    start: float | None = None
    search: str | None = None
    limit: Annotated[str, msgspec.Meta(max_length=20)] | None = None


@operation("GET /session", "session.list", query=ListQuery, answer=list[Session])
async def list_sessions(context: Context) -> Response:
    instance = await context.instance()
    query: ListQuery = context.query
    by_directory = context.directory() and query.scope != "project" and query.path is None
    limit: int | None = ORDINARY_LIMIT
    if query.limit is not None:  # OpenCode 1.18: what is no number is no limit
        limit = int(query.limit) if query.limit.isdecimal() else None
    found = context.runtime.store.sessions.select_json(
        SessionQuery(
            project=instance.project.id,
            directory=instance.directory if by_directory else None,
            path=query.path or None,
            roots=bool(query.roots),
            start=query.start,
            search=query.search,
            limit=limit,
        )
    )
    return Response(found)


@operation(
    "POST /session",
    "session.create",
    body=SessionCreateInput,
    optional_body=True,
    answer=Session,
    errors=(404,),
)
async def create(context: Context) -> Session:
    instance = await context.instance()
    await instance.models.open()
    return sessions.create_from(instance, context.body)


@operation("GET /session/status", "session.status", answer=dict[str, SessionStatus])
async def statuses(context: Context) -> dict[str, SessionStatus]:
    return (await context.instance()).runs.statuses()


@operation("GET /session/{sessionID}", "session.get", answer=Session, errors=(404,))
async def get(context: Context) -> Session:
    return context.runtime.store.sessions.get(context.params["sessionID"])


@operation(
    "PATCH /session/{sessionID}",
    "session.update",
    body=SessionUpdateInput,
    answer=Session,
    errors=(404,),
)
async def update(context: Context) -> Session:
    instance = await context.instance()
    return sessions.update(instance, context.params["sessionID"], context.body)


@operation("DELETE /session/{sessionID}", "session.delete", answer=bool, errors=(404,))
async def delete(context: Context) -> Response:
    instance = await context.instance()
    await sessions.delete(instance, context.params["sessionID"])
    return TRUE


@operation(
    "GET /session/{sessionID}/children", "session.children", answer=list[Session], errors=(404,)
)
async def children(context: Context) -> list[Session]:
    store = context.runtime.store
    store.sessions.known(context.params["sessionID"])
    return store.sessions.children(context.params["sessionID"])


@operation("GET /session/{sessionID}/todo", "session.todo", answer=list[Todo], errors=(404,))
async def todo(context: Context) -> list[Todo]:
    return context.runtime.store.sessions.todos(context.params["sessionID"])


class DiffQuery(msgspec.Struct):
    messageID: MessageID | None = None


@operation(
    "GET /session/{sessionID}/diff",
    "session.diff",
    query=DiffQuery,
    answer=list[SnapshotFileDiff],
)
async def diff(context: Context) -> list[SnapshotFileDiff]:
    """What one prompt changed; without a message, and for an unknown session, nothing."""
    message_id = context.query.messageID
    if message_id is None:
        return []
    try:
        message = context.runtime.store.messages.get(context.params["sessionID"], message_id)
    except NotFound:
        return []
    info = message.info
    return info.summary.diffs if isinstance(info, UserMessage) and info.summary else []


@operation(
    "POST /session/{sessionID}/fork",
    "session.fork",
    body=SessionForkInput,
    optional_body=True,
    answer=Session,
    errors=(404,),
)
async def fork(context: Context) -> Session:
    instance = await context.instance()
    return sessions.fork(instance, context.params["sessionID"], context.body.messageID)


@operation(
    "POST /session/{sessionID}/revert",
    "session.revert",
    body=SessionRevertInput,
    answer=Session,
    errors=(404, 409),
)
async def revert(context: Context) -> Session:
    instance = await context.instance()
    return await reverts.revert(instance, context.params["sessionID"], context.body)


@operation(
    "POST /session/{sessionID}/unrevert", "session.unrevert", answer=Session, errors=(404, 409)
)
async def unrevert(context: Context) -> Session:
    instance = await context.instance()
    return await reverts.unrevert(instance, context.params["sessionID"])


# ── stored messages ───────────────────────────────────────────────────────────────────────────


class PageQuery(msgspec.Struct):
    limit: NonNegative | None = None
    before: str | None = None


@operation(
    "GET /session/{sessionID}/message",
    "session.messages",
    query=PageQuery,
    answer=list[Any],
    errors=(404,),
)
async def messages(context: Context) -> Response:
    from ostler.server.pagination import link_headers, read_cursor

    query: PageQuery = context.query
    store = context.runtime.store
    session_id = context.params["sessionID"]
    if query.before is not None and not query.limit:
        raise BadRequest("before needs a limit", "Query")
    before = read_cursor(query.before) if query.before is not None else None
    store.sessions.known(session_id)
    page = store.messages.page(session_id, query.limit or None, before)
    headers = link_headers(context.request, query.limit, page.older) if page.older else []
    return Response(page.json, headers=headers)


@operation(
    "GET /session/{sessionID}/message/{messageID}",
    "session.message",
    answer=Any,
    errors=(404,),
)
async def message(context: Context) -> Any:
    params = context.params
    return context.runtime.store.messages.get(params["sessionID"], params["messageID"])
