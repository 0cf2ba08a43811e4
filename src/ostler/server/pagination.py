"""Cursors of the message list: base64url of ``{"id", "time"}``, the oldest message of a page."""

import base64
import binascii

import msgspec

from ostler.schema.errors import BadRequest
from ostler.schema.message import Message
from ostler.server.asgi import Request, encode


class Cursor(msgspec.Struct):
    id: str
    time: float


def read_cursor(text: str) -> str:
    """The message id in a cursor. Raises BadRequest."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(data, type=Cursor).id
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise BadRequest(f"before: not a cursor of this list: {text[:80]!r}", "Query") from None


def link_headers(request: Request, limit: int | None, oldest: Message) -> list[tuple[str, str]]:
    cursor = Cursor(oldest.id, oldest.time.created)
    text = base64.urlsafe_b64encode(encode(cursor)).decode().rstrip("=")
    host = request.headers.get("host", "127.0.0.1")
    query = "&".join(
        f"{k}={v}" for k, v in {**request.query, "limit": str(limit), "before": text}.items()
    )
    url = f"{request.scope.get('scheme', 'http')}://{host}{request.path}?{query}"
    return [("link", f'<{url}>; rel="next"'), ("x-next-cursor", text)]
