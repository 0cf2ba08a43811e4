"""What websockets need beside HTTP."""

from ostler.server.asgi import Response, Scope, Send


async def refuse_socket(send: Send, scope: Scope, response: Response) -> None:
    """Answer the upgrade with an HTTP response, where the server can; else close."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", response.content_type.encode()), *_pairs(response)]
    await send(
        {
            "type": "websocket.http.response.start",
            "status": response.status,
            "headers": [h for h in headers if h[1]],
        }
    )
    await send({"type": "websocket.http.response.body", "body": response.body})


def _pairs(response: Response) -> list[tuple[bytes, bytes]]:
    return [(k.encode("latin-1"), v.encode("latin-1")) for k, v in response.headers]
