"""What OpenCode's maker hosts: consoles of organisations, remote workspaces, synchronisation. There
are none here, which is what these routes say; what would need one is refused."""

from typing import Annotated, Any

import msgspec

from ostler.schema.base import SessionID
from ostler.schema.errors import DomainError, NotFound
from ostler.server.asgi import TRUE, Response
from ostler.server.operation import Context, operation

Json = dict[str, Any]
WorkspaceID = Annotated[str, msgspec.Meta(pattern="^wrk")]
_NONE = "Ostler has no remote workspaces; a worktree or a copy of the project keeps work apart"


class SwitchInput(msgspec.Struct):
    accountID: str
    orgID: str


class WorkspaceInput(msgspec.Struct):
    type: str
    id: WorkspaceID | None = None
    branch: str | None = None
    extra: Any = None


class WarpInput(msgspec.Struct):
    """``id`` None: back to this machine."""

    id: WorkspaceID | None
    sessionID: SessionID
    copyChanges: bool | None = None


class StealInput(msgspec.Struct):
    sessionID: SessionID


class ReplayInput(msgspec.Struct):
    directory: str
    events: Annotated[list[Json], msgspec.Meta(min_length=1)]


# ── consoles ─────────────────────────────────────────────────────────────────────────────────


@operation("GET /experimental/console", "experimental.console.get", answer=Json)
async def console(context: Context) -> Json:
    await context.instance()
    return {"consoleManagedProviders": [], "switchableOrgCount": 0}


@operation("GET /experimental/console/orgs", "experimental.console.listOrgs", answer=Json)
async def organisations(context: Context) -> Json:
    await context.instance()
    return {"orgs": []}


@operation(
    "POST /experimental/console/switch",
    "experimental.console.switchOrg",
    body=SwitchInput,
    answer=bool,
)
async def switch(context: Context) -> Response:
    await context.instance()
    return Response(b"false")


# ── workspaces ───────────────────────────────────────────────────────────────────────────────


@operation(
    "GET /experimental/workspace/adapter", "experimental.workspace.adapter.list", answer=list[Json]
)
@operation("GET /experimental/workspace", "experimental.workspace.list", answer=list[Json])
@operation("GET /experimental/workspace/status", "experimental.workspace.status", answer=list[Json])
async def none(context: Context) -> list[Json]:
    await context.instance()
    return []


@operation(
    "POST /experimental/workspace",
    "experimental.workspace.create",
    body=WorkspaceInput,
    answer=Json,
)
async def create(context: Context) -> Json:
    await context.instance()
    raise DomainError("WorkspaceCreateError", _NONE)


@operation("POST /experimental/workspace/sync-list", "experimental.workspace.syncList")
async def sync_list(context: Context) -> None:
    await context.instance()


@operation(
    "DELETE /experimental/workspace/{id}",
    "experimental.workspace.remove",
    answer=Json,
    errors=(404,),
)
async def remove(context: Context) -> Json:
    await context.instance()
    raise NotFound(f"Workspace not found: {context.params['id']}")


@operation(
    "POST /experimental/workspace/warp",
    "experimental.workspace.warp",
    body=WarpInput,
    errors=(404,),
)
async def warp(context: Context) -> None:
    body: WarpInput = context.body
    context.runtime.store.sessions.known(body.sessionID)
    if body.id is not None:
        raise DomainError("WorkspaceWarpError", _NONE)


# ── synchronisation ──────────────────────────────────────────────────────────────────────────


@operation("POST /sync/start", "sync.start", answer=bool)
async def start(context: Context) -> Response:
    await context.instance()
    return TRUE


@operation("POST /sync/history", "sync.history.list", body=dict[str, int], answer=list[Json])
async def history(context: Context) -> list[Json]:
    await context.instance()
    return []


@operation("POST /sync/steal", "sync.steal", body=StealInput, answer=Json)
async def steal(context: Context) -> Json:
    """A session of this machine is this machine's already."""
    context.runtime.store.sessions.known(context.body.sessionID)
    return {"sessionID": context.body.sessionID}


@operation("POST /sync/replay", "sync.replay", body=ReplayInput, answer=Json)
async def replay(context: Context) -> Json:
    await context.instance()
    raise DomainError("BadRequest", "Ostler takes no events from other machines")


# ── the newer API ────────────────────────────────────────────────────────────────────────────


@operation("GET /api/health", "v2.health.get", answer=Json)
async def health(context: Context) -> Json:
    return {"healthy": True}
