"""A typed client of the API, for Ostler's server and the original.

``Client`` blocks, ``AsyncClient`` does not. Every operation is a method under its noun:
``client.session.create(title="…")``, ``client.permission.reply(id, reply="once")``; ``prompt``,
``stream`` and ``events`` are what is done most. Every call has a deadline.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostler.client.address import DEFAULT_DEADLINE, DEFAULT_URL, MODEL_DEADLINE
    from ostler.client.answers import Answer, Health, text_of
    from ostler.client.async_client import AsyncClient
    from ostler.client.blocking import BlockingAnswer, BlockingEvents
    from ostler.client.blocking_client import Client
    from ostler.client.errors import (
        ApiError,
        ClientError,
        Conflict,
        DeadlineExceeded,
        InvalidAnswer,
        InvalidRequest,
        NotFound,
        ServerFailure,
        Unauthorized,
        Unreachable,
    )
    from ostler.client.events import Event, EventStream
    from ostler.client.turn import AnswerStream

# Imported when first asked for: `import ostler.client` alone costs nothing.
_HOMES = {
    "address": ("DEFAULT_DEADLINE", "DEFAULT_URL", "MODEL_DEADLINE"),
    "answers": ("Answer", "Health", "text_of"),
    "async_client": ("AsyncClient",),
    "blocking": ("BlockingAnswer", "BlockingEvents"),
    "blocking_client": ("Client",),
    "errors": (
        "ApiError",
        "ClientError",
        "Conflict",
        "DeadlineExceeded",
        "InvalidAnswer",
        "InvalidRequest",
        "NotFound",
        "ServerFailure",
        "Unauthorized",
        "Unreachable",
    ),
    "events": ("Event", "EventStream"),
    "turn": ("AnswerStream",),
}

__all__ = [
    "DEFAULT_DEADLINE",
    "DEFAULT_URL",
    "MODEL_DEADLINE",
    "Answer",
    "AnswerStream",
    "ApiError",
    "AsyncClient",
    "BlockingAnswer",
    "BlockingEvents",
    "Client",
    "ClientError",
    "Conflict",
    "DeadlineExceeded",
    "Event",
    "EventStream",
    "Health",
    "InvalidAnswer",
    "InvalidRequest",
    "NotFound",
    "ServerFailure",
    "Unauthorized",
    "Unreachable",
    "text_of",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"ostler.client.{module}"), name)
    raise AttributeError(f"module 'ostler.client' has no attribute {name!r}")
