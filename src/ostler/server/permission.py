"""Permission requests that wait, and their answers."""

from ostler.schema.base import PermissionID
from ostler.schema.errors import NotFound
from ostler.schema.permission import (
    PermissionReply,
    PermissionReplyInput,
    PermissionRequest,
    PermissionRespondInput,
)
from ostler.server.operation import Context, operation


@operation("GET /permission", "permission.list", answer=list[PermissionRequest])
async def list_requests(context: Context) -> list[PermissionRequest]:
    return (await context.instance()).permissions.pending()


@operation(
    "POST /permission/{requestID}/reply",
    "permission.reply",
    body=PermissionReplyInput,
    answer=bool,
    errors=(404,),
)
async def reply(context: Context) -> bool:
    await _reply(context, context.params["requestID"], context.body.reply, context.body.message)
    return True


@operation(
    "POST /session/{sessionID}/permissions/{permissionID}",
    "permission.respond",
    body=PermissionRespondInput,
    answer=bool,
    errors=(404,),
)
async def respond(context: Context) -> bool:
    instance = await context.instance()
    request_id = context.params["permissionID"]
    owner = context.params["sessionID"]
    pending = next((p for p in instance.permissions.pending() if p.id == request_id), None)
    if pending is not None and pending.sessionID != owner:
        raise NotFound(f"Permission {request_id} is not one of session {owner}")
    instance.permissions.reply(request_id, context.body.response, context.body.message)
    return True


async def _reply(
    context: Context, request_id: PermissionID, answer: PermissionReply, message: str | None
) -> None:
    """Requests are found in whatever directory they wait: older drivers name none."""
    for instance in [await context.instance(), *context.runtime.instances()]:
        if any(p.id == request_id for p in instance.permissions.pending()):
            instance.permissions.reply(request_id, answer, message)
            return
    (await context.instance()).permissions.reply(request_id, answer, message)
