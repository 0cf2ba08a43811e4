"""A wire and a provider's server: one request, and what came of it."""

from collections.abc import Sequence
from typing import Any

from ostler.models.wire import Wire
from ostler.transport import DirectTransport
from tests.support import build
from tests.support.model_server import ModelServer, Reply, collect


async def ask(
    wire: type[Any], chunks: Sequence[Any], **fields: Any
) -> tuple[list[Any], dict[str, Any]]:
    """The deltas of one request that is answered with ``chunks``, and the body that was sent."""
    transport = DirectTransport()
    speaking: Wire = wire(transport)
    async with ModelServer([Reply(chunks)], titles=False) as server:
        try:
            batches = await collect(speaking.stream(build.request(server.url, **fields)))
        finally:
            await transport.close()
        return [d for batch in batches for d in batch], server.requests[0]
