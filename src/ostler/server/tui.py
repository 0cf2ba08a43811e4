"""Remote control of a terminal UI: each call is an event that the UI listens for."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

import msgspec

from ostler.integrations.remote_control import Call
from ostler.schema.base import Positive
from ostler.schema.errors import BadRequest
from ostler.schema.event import (
    Properties,
    TuiCommandExecute,
    TuiPromptAppend,
    TuiSessionSelect,
    TuiToastShow,
)
from ostler.server.asgi import TRUE, Response, Stream
from ostler.server.operation import Context, operation

# The names that /tui/execute-command knows (OpenCode 1.18); every other one says nothing.
_COMMANDS = {
    "session_new": "session.new",
    "session_share": "session.share",
    "session_interrupt": "session.interrupt",
    "session_compact": "session.compact",
    "messages_page_up": "session.page.up",
    "messages_page_down": "session.page.down",
    "messages_line_up": "session.line.up",
    "messages_line_down": "session.line.down",
    "messages_half_page_up": "session.half.page.up",
    "messages_half_page_down": "session.half.page.down",
    "messages_first": "session.first",
    "messages_last": "session.last",
    "agent_cycle": "agent.cycle",
}
_EVENTS: dict[str, type[Properties]] = {
    kind.kind: kind for kind in (TuiPromptAppend, TuiCommandExecute, TuiToastShow, TuiSessionSelect)
}


class TextInput(msgspec.Struct):
    text: str


class CommandInput(msgspec.Struct):
    command: str


class ToastInput(msgspec.Struct):
    message: str
    variant: Literal["info", "success", "warning", "error"]
    title: str | None = None
    duration: Positive | None = None


class SessionInput(msgspec.Struct):
    sessionID: Annotated[str, msgspec.Meta(pattern="^ses")]


class EventInput(msgspec.Struct):
    type: str
    properties: dict[str, Any]


async def _say(context: Context, properties: Properties) -> Response:
    instance = await context.instance()
    context.runtime.bus.publish(properties, instance.location)
    instance.remote.tell(context.operation.path, msgspec.to_builtins(context.body or {}))
    return TRUE


async def _execute(context: Context, command: str) -> Response:
    return await _say(context, TuiCommandExecute(command=command))


@operation("POST /tui/append-prompt", "tui.appendPrompt", body=TextInput, answer=bool)
async def append_prompt(context: Context) -> Response:
    return await _say(context, TuiPromptAppend(text=context.body.text))


@operation("POST /tui/submit-prompt", "tui.submitPrompt", answer=bool)
async def submit_prompt(context: Context) -> Response:
    return await _execute(context, "prompt.submit")


@operation("POST /tui/clear-prompt", "tui.clearPrompt", answer=bool)
async def clear_prompt(context: Context) -> Response:
    return await _execute(context, "prompt.clear")


@operation("POST /tui/open-help", "tui.openHelp", answer=bool)
async def open_help(context: Context) -> Response:
    return await _execute(context, "help.show")


@operation("POST /tui/open-sessions", "tui.openSessions", answer=bool)
async def open_sessions(context: Context) -> Response:
    return await _execute(context, "session.list")


@operation("POST /tui/open-models", "tui.openModels", answer=bool)
async def open_models(context: Context) -> Response:
    return await _execute(context, "model.list")


@operation("POST /tui/open-themes", "tui.openThemes", answer=bool)
async def open_themes(context: Context) -> Response:
    return await _execute(context, "theme.switch")


@operation("POST /tui/execute-command", "tui.executeCommand", body=CommandInput, answer=bool)
async def execute_command(context: Context) -> Response:
    """The older names, and the dotted ones as they are."""
    name: str = context.body.command
    known = _COMMANDS.get(name) or (name if "." in name else None)
    if known is None:
        raise BadRequest(
            f'Unknown command "{name}"; known are {", ".join(_COMMANDS)} and dotted ids\n'
            '  at ["command"]',
            "Payload",
        )
    return await _execute(context, known)


@operation("POST /tui/show-toast", "tui.showToast", body=ToastInput, answer=bool)
async def show_toast(context: Context) -> Response:
    body: ToastInput = context.body
    return await _say(
        context,
        TuiToastShow(
            message=body.message, variant=body.variant, title=body.title, duration=body.duration
        ),
    )


@operation(
    "POST /tui/select-session",
    "tui.selectSession",
    body=SessionInput,
    answer=bool,
    errors=(404,),
)
async def select_session(context: Context) -> Response:
    context.runtime.store.sessions.known(context.body.sessionID)
    return await _say(context, TuiSessionSelect(sessionID=context.body.sessionID))


@operation("POST /tui/publish", "tui.publish", body=EventInput, answer=bool)
async def publish(context: Context) -> Response:
    """One of the four events, as it is."""
    body: EventInput = context.body
    kind = _EVENTS.get(body.type)
    if kind is None:
        raise BadRequest(
            f'Expected one of {", ".join(_EVENTS)}, got "{body.type}"\n  at ["type"]', "Payload"
        )
    try:
        properties = msgspec.convert(body.properties, kind)
    except msgspec.ValidationError as e:
        raise BadRequest(f'{e}\n  at ["properties"]', "Payload") from None
    return await _say(context, properties)


@operation("GET /tui/control/next", "tui.control.next", answer=Call)
async def control_next(context: Context) -> Stream:
    """The next call of the others above, for a UI that asks instead of following the events. It
    is waited for until the client gives up."""
    remote = (await context.instance()).remote

    async def answer() -> AsyncGenerator[bytes, None]:
        yield msgspec.json.encode(await remote.next())

    return Stream(answer(), "application/json")


@operation("POST /tui/control/response", "tui.control.response", body=Any, answer=bool)
async def control_response(context: Context) -> Response:
    """What a UI says to a call; the callers have their answer already."""
    await context.instance()
    return TRUE
