"""Providers' credentials."""

from ostler.schema.auth import Auth
from ostler.server.asgi import TRUE, Response
from ostler.server.operation import Context, operation


@operation("PUT /auth/{providerID}", "auth.set", body=Auth, answer=bool)
async def set_auth(context: Context) -> Response:
    """Counts for a directory once it is used anew: that is why all of them are disposed."""
    context.runtime.credentials.set(context.params["providerID"], context.body)
    await context.runtime.dispose_all()
    return TRUE


@operation("DELETE /auth/{providerID}", "auth.remove", answer=bool)
async def remove(context: Context) -> Response:
    context.runtime.credentials.remove(context.params["providerID"])
    return TRUE
