"""How hard a model thinks, in the words of its wire."""

from typing import Any

from ostler.schema.message import Thinking
from ostler.schema.provider import Model

DEFAULT_BUDGET = 16_000
_EFFORTS = ((4_096, "low"), (16_384, "medium"))


def options_for(model: Model, thinking: Thinking | None) -> dict[str, Any]:
    """Provider options for the ``thinking`` of a prompt; none where the model does not reason or
    nothing was asked for."""
    if thinking is None or not model.capabilities.reasoning:
        return {}
    enabled = thinking.type != "disabled"
    budget = thinking.budget_tokens or DEFAULT_BUDGET
    if "anthropic" in model.api.npm:
        if not enabled:
            return {"thinking": {"type": "disabled"}}
        return {"thinking": {"type": "enabled", "budgetTokens": budget}}
    if not enabled:
        return {}
    effort = next((name for most, name in _EFFORTS if budget <= most), "high")
    return {"reasoningEffort": effort}
