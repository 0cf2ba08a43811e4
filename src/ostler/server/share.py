"""Sharing a session: a page of this server's that shows it, for whoever may reach the server and
knows the address."""

import hmac
import secrets
from html import escape
from typing import Any

from ostler.engine import sessions
from ostler.engine.instance import Instance
from ostler.schema.errors import Forbidden, NotFound
from ostler.schema.message import MessageWithParts, UserMessage
from ostler.schema.part import ReasoningPart, TextPart, ToolPart, ToolStateCompleted, ToolStateError
from ostler.schema.session import Session, SessionShare
from ostler.server.asgi import Response
from ostler.server.operation import Context, operation

LONGEST = 20_000
"""Characters shown of one tool's output."""


@operation("POST /session/{sessionID}/share", "session.share", answer=Session, errors=(403, 404))
async def share(context: Context) -> Session:
    instance = await context.instance()
    session = context.runtime.store.sessions.get(context.params["sessionID"])
    if instance.config.share == "disabled":
        raise Forbidden("ShareDisabledError", "Sharing is disabled by the configuration")
    if session.share is not None:
        return session
    host = context.request.headers.get("host", "127.0.0.1")
    address = f"http://{host}/share/{session.id}/{secrets.token_urlsafe(18)}"
    return sessions.touch(instance, session, share=SessionShare(url=address))


@operation("DELETE /session/{sessionID}/share", "session.unshare", answer=Session, errors=(404,))
async def unshare(context: Context) -> Session:
    instance: Instance = await context.instance()
    session = context.runtime.store.sessions.get(context.params["sessionID"])
    return sessions.touch(instance, session, share=None) if session.share else session


@operation(
    "GET /share/{sessionID}/{secret}",
    "session.shared",
    answer=str,
    answer_type="text/html",
    errors=(404,),
)
async def page(context: Context) -> Response:
    """A shared session to look at. An address that is not (or no longer) one is 404."""
    store = context.runtime.store
    session_id, secret = context.params["sessionID"], context.params["secret"]
    session = store.sessions.get(session_id)
    known = session.share.url.rpartition("/")[2] if session.share else ""
    if not known or not hmac.compare_digest(known.encode(), secret.encode()):
        raise NotFound("This session is not shared at this address")
    html = render(session, store.messages.history(session_id))
    headers = [
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("referrer-policy", "no-referrer"),
    ]
    return Response(html.encode(), content_type="text/html; charset=utf-8", headers=headers)


def render(session: Session, messages: list[MessageWithParts]) -> str:
    """The page: no scripts, nothing loaded from elsewhere, every text escaped."""
    body = "\n".join(_message(message) for message in messages)
    title = escape(session.title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{STYLE}</style></head>
<body><header><h1>{title}</h1><p>{escape(session.directory)}</p></header>
<main>
{body}
</main></body></html>"""


def _message(message: MessageWithParts) -> str:
    user = isinstance(message.info, UserMessage)
    parts = "\n".join(html for part in message.parts if (html := _part(part)))
    error: Any = getattr(message.info, "error", None)
    if error is not None:
        parts += f'\n<p class="error">{escape(getattr(error.data, "message", "") or "failed")}</p>'
    if not parts:
        return ""
    kind, who = ("user", "User") if user else ("assistant", "Assistant")
    return f'<article class="{kind}"><h2>{who}</h2>\n{parts}\n</article>'


def _part(part: Any) -> str:
    if isinstance(part, TextPart) and not part.synthetic and part.text.strip():
        return f"<p>{escape(part.text.strip())}</p>"
    if isinstance(part, ReasoningPart) and part.text.strip():
        summary = "<summary>Thinking</summary>"
        return f"<details>{summary}<pre>{escape(part.text.strip())}</pre></details>"
    if isinstance(part, ToolPart):
        return _tool(part)
    return ""


def _tool(part: ToolPart) -> str:
    state = part.state
    title = part.tool
    output = ""
    if isinstance(state, ToolStateCompleted):
        title, output = f"{part.tool} {state.title}", state.output
    elif isinstance(state, ToolStateError):
        title, output = f"{part.tool} failed", state.error
    shown = escape(output[:LONGEST])
    return f"<details><summary>{escape(title)}</summary><pre>{shown}</pre></details>"


STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } header p { opacity: .6; margin: 0; }
h2 { font-size: .8rem; opacity: .6; margin: 0; }
article { border-left: 3px solid #8884; padding: .1rem 1rem; margin: 1.5rem 0; }
article.user { border-color: #3a7bd5; }
p { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { overflow-x: auto; background: #8881; padding: .75rem; border-radius: .4rem; }
summary { cursor: pointer; font-family: ui-monospace, monospace; font-size: .9rem; }
.error { color: #c0392b; }
"""
