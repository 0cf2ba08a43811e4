"""A wire and a provider's server: one request, and what came of it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ostler.models.wire import Wire
from ostler.transport import DirectTransport
from tests.support import build, official
from tests.support.model_server import ModelServer, Reply, collect


async def ask(
    wire: type[Any],
    chunks: Sequence[Any],
    media: str = "text/event-stream",
    judged: bool = True,
    **fields: Any,
) -> tuple[list[Any], dict[str, Any]]:
    """The deltas of one request that is answered with ``chunks``, and the body that was sent, which
    is one that the provider's own SDK could have sent, unless it is not to be ``judged``."""
    transport = DirectTransport()
    speaking: Wire = wire(transport)
    reply = Reply(chunks, content_type=media)
    async with ModelServer([reply], titles=False) as server:
        provider = fields.pop("provider", None)
        if provider is not None:
            options = {**provider.options, "baseURL": server.url}
            fields["provider"] = msgspec.structs.replace(provider, options=options)
        try:
            batches = await collect(speaking.stream(build.request(server.url, **fields)))
        finally:
            await transport.close()
    if judged:
        official.judge_request(wire, server.requests[0])
    return [d for batch in batches for d in batch], server.requests[0]
