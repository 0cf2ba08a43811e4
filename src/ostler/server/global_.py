"""What concerns no directory: health, the global configuration, disposal of everything."""

import msgspec

from ostler import __version__
from ostler.schema.event import GlobalDisposed
from ostler.server.asgi import TRUE, Response
from ostler.server.operation import Context, operation


class Health(msgspec.Struct):
    healthy: bool
    version: str


@operation("GET /global/health", "global.health", answer=Health)
async def health(context: Context) -> Health:
    return Health(True, __version__)


@operation("POST /global/dispose", "global.dispose", answer=bool)
async def dispose(context: Context) -> Response:
    await context.runtime.dispose_all()
    context.runtime.bus.publish(GlobalDisposed())
    return TRUE
