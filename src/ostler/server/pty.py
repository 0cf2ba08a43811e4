"""Terminals: over HTTP what they are, over a websocket what they show and are told."""

import asyncio
import os
from typing import TYPE_CHECKING

import msgspec

from ostler.integrations.terminal import TICKET_SECONDS, Terminal
from ostler.schema.errors import BadRequest, Forbidden, NotFound
from ostler.schema.pty import Pty, PtyCreateInput, PtyShell, PtyTicket, PtyUpdateInput
from ostler.server.asgi import TRUE, Request, Response, Send
from ostler.server.operation import SOCKETS, Context, operation, requested_directory

if TYPE_CHECKING:
    from ostler.runtime import Runtime

SHELLS = "/etc/shells"
FRAME = 65_536
"""Characters in one frame (OpenCode 1.18)."""
NO_REPLAY = -1


@operation("GET /pty/shells", "pty.shells", answer=list[PtyShell])
async def shells(context: Context) -> list[PtyShell]:
    await context.instance()
    try:
        with open(SHELLS, encoding="utf-8") as file:
            listed = [line.strip() for line in file if line.startswith("/")]
    except OSError:
        listed = ["/bin/sh"]
    return [
        PtyShell(path=path, name=os.path.basename(path), acceptable=True)
        for path in dict.fromkeys(listed)
        if os.access(path, os.X_OK)
    ]


@operation("GET /pty", "pty.list", answer=list[Pty])
async def list_terminals(context: Context) -> list[Pty]:
    return (await context.instance()).terminals.running()


@operation("POST /pty", "pty.create", body=PtyCreateInput, optional_body=True, answer=Pty)
async def create(context: Context) -> Pty:
    return await (await context.instance()).terminals.create(context.body)


@operation("GET /pty/{ptyID}", "pty.get", answer=Pty, errors=(404,))
async def get(context: Context) -> Pty:
    return (await context.instance()).terminals.get(context.params["ptyID"]).info


@operation("PUT /pty/{ptyID}", "pty.update", body=PtyUpdateInput, answer=Pty, errors=(404,))
async def update(context: Context) -> Pty:
    body: PtyUpdateInput = context.body
    terminals = (await context.instance()).terminals
    return terminals.update(context.params["ptyID"], body.title, body.size)


@operation("DELETE /pty/{ptyID}", "pty.remove", answer=bool, errors=(404,))
async def remove(context: Context) -> Response:
    await (await context.instance()).terminals.remove(context.params["ptyID"])
    return TRUE


@operation(
    "POST /pty/{ptyID}/connect-token", "pty.connectToken", answer=PtyTicket, errors=(403, 404)
)
async def connect_token(context: Context) -> PtyTicket:
    """A ticket for a page, which cannot send credentials with a websocket. The header keeps other
    pages from asking for one: it makes their request one that needs permission first."""
    if context.request.headers.get("x-opencode-ticket") != "1":
        raise Forbidden("PtyForbiddenError", "The header x-opencode-ticket: 1 is missing")
    terminals = (await context.instance()).terminals
    ticket = terminals.ticket(context.params["ptyID"])
    return PtyTicket(ticket=ticket, expires_in=TICKET_SECONDS)


class ConnectQuery(msgspec.Struct):
    cursor: str | None = None
    ticket: str | None = None


@operation(
    "GET /pty/{ptyID}/connect", "pty.connect", query=ConnectQuery, answer=bool, errors=(404,)
)
async def connect(context: Context) -> Response:
    pty_id = context.params["ptyID"]
    if pty_id not in [t.id for t in (await context.instance()).terminals.running()]:
        raise NotFound(f"Pty not found: {pty_id}")
    raise BadRequest("Connect with a websocket: this request asks for no upgrade", "Headers")


# ── the websocket ─────────────────────────────────────────────────────────────────────────────


async def speak(runtime: "Runtime", request: Request, send: Send, closing: asyncio.Event) -> None:
    """Text frames out are what the program prints; after what it printed before, one binary frame
    says how far that is. Frames in are what is typed."""
    instance = await runtime.instance(requested_directory(request))
    pty_id = request.path_params["ptyID"]
    terminal = instance.terminals.get(pty_id)
    ticket = request.query.get("ticket")
    if ticket is not None and not instance.terminals.redeem(pty_id, ticket):
        raise Forbidden("PtyForbiddenError", "Invalid or used ticket")
    await request.receive()  # the client's wish to connect
    await send({"type": "websocket.accept"})
    position = await _replay(terminal, request.query.get("cursor"), send)
    tasks = [
        asyncio.create_task(_show(terminal, position, send)),
        asyncio.create_task(_listen(terminal, request)),
        asyncio.create_task(closing.wait()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        gone = tasks[1].done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not gone:
        await send({"type": "websocket.close", "code": 1001 if closing.is_set() else 1000})


async def _replay(terminal: Terminal, cursor: str | None, send: Send) -> int:
    """Send what the client has not seen; returns the position it ends at."""
    output = terminal.output
    wanted = int(cursor) if cursor and cursor.lstrip("-").isdecimal() else 0
    position = output.end if wanted == NO_REPLAY else max(0, wanted)
    await _send(send, output.since(position))
    mark = msgspec.json.encode({"cursor": output.end})
    await send({"type": "websocket.send", "bytes": b"\0" + mark})
    return output.end


async def _show(terminal: Terminal, position: int, send: Send) -> None:
    while (text := await terminal.more(position)) is not None:
        position = terminal.output.end
        await _send(send, text)


async def _send(send: Send, text: str) -> None:
    for start in range(0, len(text), FRAME):
        await send({"type": "websocket.send", "text": text[start : start + FRAME]})


async def _listen(terminal: Terminal, request: Request) -> None:
    while True:
        message = await request.receive()
        if message["type"] == "websocket.disconnect":
            return
        typed = message.get("text")
        if typed is None:
            typed = (message.get("bytes") or b"").decode("utf-8", "ignore")
        terminal.write(typed)


SOCKETS["/pty/{ptyID}/connect"] = speak
