"""What makes a session work: prompts, commands, shell, abort, compaction; and single messages."""

from typing import Any

from ostler.engine import commands, shell, submit
from ostler.schema.errors import BadRequest, NotFound, SessionBusy, unknown_error
from ostler.schema.event import SessionErrored
from ostler.schema.message import (
    CommandInput,
    MessageWithParts,
    PromptInput,
    ShellInput,
)
from ostler.schema.part import Part
from ostler.schema.session import SessionInitInput, SessionSummarizeInput
from ostler.server.asgi import TRUE, Response
from ostler.server.operation import Context, operation


@operation(
    "POST /session/{sessionID}/message",
    "session.prompt",
    body=PromptInput,
    answer=MessageWithParts,
    errors=(404, 409),
)
async def prompt(context: Context) -> MessageWithParts:
    instance = await context.instance()
    await instance.models.open()
    return await submit.prompt(instance, context.params["sessionID"], context.body)


@operation(
    "POST /session/{sessionID}/prompt_async",
    "session.prompt_async",
    body=PromptInput,
    errors=(404, 409),
)
async def prompt_async(context: Context) -> None:
    """The prompt is stored and its turn begun before this answers; what fails later is told by
    ``session.error`` and on the message."""
    instance = await context.instance()
    await instance.models.open()
    session_id = context.params["sessionID"]
    await submit.accept(instance, session_id, context.body)
    if not context.body.noReply:
        instance.runs.start(session_id)


@operation(
    "POST /session/{sessionID}/command",
    "session.command",
    body=CommandInput,
    answer=MessageWithParts,
    errors=(404, 409),
)
async def command(context: Context) -> MessageWithParts:
    instance = await context.instance()
    await instance.models.open()
    session_id = context.params["sessionID"]
    try:
        return await commands.run(instance, session_id, context.body)
    except NotFound as e:
        instance.bus.publish(
            SessionErrored(sessionID=session_id, error=unknown_error(str(e))), instance.location
        )
        raise


@operation(
    "POST /session/{sessionID}/shell",
    "session.shell",
    body=ShellInput,
    answer=MessageWithParts,
    errors=(404, 409),
)
async def run_shell(context: Context) -> MessageWithParts:
    instance = await context.instance()
    await instance.models.open()
    return await shell.run(instance, context.params["sessionID"], context.body)


@operation("POST /session/{sessionID}/abort", "session.abort", answer=bool)
async def abort(context: Context) -> Response:
    try:
        instance = await context.instance()
    except NotFound:
        return TRUE  # OpenCode 1.18: any id
    await instance.runs.abort(context.params["sessionID"])
    return TRUE


@operation(
    "POST /session/{sessionID}/summarize",
    "session.summarize",
    body=SessionSummarizeInput,
    answer=bool,
    errors=(404, 409),
)
async def summarize(context: Context) -> Response:
    instance = await context.instance()
    await instance.models.open()
    model = instance.models.get(context.body.providerID, context.body.modelID)
    await submit.summarize(instance, context.params["sessionID"], model, bool(context.body.auto))
    return TRUE


@operation(
    "POST /session/{sessionID}/init",
    "session.init",
    body=SessionInitInput,
    answer=bool,
    errors=(404, 409),
)
async def init(context: Context) -> Response:
    instance = await context.instance()
    await instance.models.open()
    body: SessionInitInput = context.body
    asked = CommandInput(
        command="init",
        arguments="",
        messageID=body.messageID,
        model=f"{body.providerID}/{body.modelID}",
    )
    await commands.run(instance, context.params["sessionID"], asked)
    return TRUE


@operation(
    "DELETE /session/{sessionID}/message/{messageID}",
    "session.deleteMessage",
    answer=bool,
    errors=(404, 409),
)
async def delete_message(context: Context) -> Response:
    instance = await context.instance()
    session_id = context.params["sessionID"]
    if instance.runs.busy(session_id):
        raise SessionBusy(session_id)
    context.runtime.store.messages.remove(session_id, context.params["messageID"])
    return TRUE


@operation(
    "PATCH /session/{sessionID}/message/{messageID}/part/{partID}",
    "part.update",
    body=Part,
    answer=Part,
    errors=(404,),
)
async def update_part(context: Context) -> Any:
    part = context.body
    for name, value in (
        ("sessionID", part.sessionID),
        ("messageID", part.messageID),
        ("partID", part.id),
    ):
        if context.params[name] != value:
            raise BadRequest(f"{name} in the body is {value}, in the path {context.params[name]}")
    context.runtime.store.messages.save_part(part)
    return part


@operation(
    "DELETE /session/{sessionID}/message/{messageID}/part/{partID}",
    "part.delete",
    answer=bool,
    errors=(404,),
)
async def delete_part(context: Context) -> Response:
    params = context.params
    context.runtime.store.messages.remove_part(
        params["sessionID"], params["messageID"], params["partID"]
    )
    return TRUE
