"""Which model answers: the chosen one, or the next of its fallbacks for the rest of a turn."""

import logging

from ostler.models.failure import ModelFailure
from ostler.models.registry import Models
from ostler.schema.errors import APIError, NotFound
from ostler.schema.message import FailedModel
from ostler.schema.part import ModelRef
from ostler.schema.provider import Model

log = logging.getLogger(__name__)

ELSEWHERE = frozenset(
    (
        "auth", "quota", "rate_limited", "overloaded", "unavailable", "timeout", "bad_stream",
        "empty",
    )
)  # fmt: skip
"""Kinds of failure that another model may not have; what is wrong with the request or its content
would be wrong there as well."""


class Route:
    """``model`` is asked now; ``failed`` were asked before it, in order."""

    def __init__(
        self, models: Models, model: Model, fallback: list[ModelRef] | None = None
    ) -> None:
        self.model = model
        self.failed: list[FailedModel] = []
        self._left = _known(models, models.fallbacks(model) if fallback is None else fallback)

    def has_next(self, failure: ModelFailure) -> bool:
        return bool(self._left) and (failure.kind in ELSEWHERE or _is_gone(failure))

    def fall_back(self, failure: ModelFailure) -> bool:
        """Turn to the next model; False where there is none, or it would be of no use."""
        if not self.has_next(failure):
            return False
        before = self.model
        self.failed = [
            *self.failed,
            FailedModel(
                providerID=before.providerID,
                modelID=before.id,
                kind=failure.kind,
                message=str(failure),
            ),
        ]
        self.model = self._left.pop(0)
        log.warning("%s failed (%s): %s is asked", _name(before), failure.kind, _name(self.model))
        return True


def _known(models: Models, wanted: list[ModelRef]) -> list[Model]:
    found = []
    for ref in wanted:
        try:
            found.append(models.get(ref.providerID, ref.modelID))
        except NotFound as e:
            log.warning("a fallback is left out: %s", e)
    return found


def _is_gone(failure: ModelFailure) -> bool:
    """Whether the provider no longer knows the model."""
    error = failure.error
    return isinstance(error, APIError) and error.data.statusCode in (404, 410)


def _name(model: Model) -> str:
    return f"{model.providerID}/{model.id}"
