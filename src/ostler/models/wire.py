"""The seam between the engine and a provider's protocol."""

from collections.abc import AsyncGenerator
from typing import Protocol

from ostler.models.delta import Delta
from ostler.models.request import ModelRequest


class Wire(Protocol):
    """One protocol of asking a model."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        """Yield increments in batches, as they arrive; the last batch ends with one Finish.

        Raises ModelFailure, of every kind that models/failure.py lists, and nothing else; closing
        the iterator ends the provider's stream.
        """
