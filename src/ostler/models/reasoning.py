"""How hard a model thinks, in the words of its wire."""

from typing import Any

from ostler.schema.message import Thinking
from ostler.schema.provider import Model

DEFAULT_BUDGET = 16_000
_EFFORTS = ((4_096, "low"), (16_384, "medium"))


_NOT_STEERABLE = (
    "deepseek-chat", "deepseek-reasoner", "deepseek-r1", "deepseek-v3", "glm", "kimi", "minimax",
    "mistral", "qwen",
)  # fmt: skip
"""Names of models that think but take no effort."""


def variants_of(npm: str, model_id: str, output_limit: int | float) -> dict[str, dict[str, Any]]:
    """The variants of a model that reasons, where nobody configured any (OpenCode 1.18)."""
    if npm == "@ai-sdk/anthropic":
        most = int(output_limit) - 1 if output_limit else 31_999
        return {
            name: {"thinking": {"type": "enabled", "budgetTokens": min(budget, most)}}
            for name, budget in (("high", DEFAULT_BUDGET), ("max", 31_999))
        }
    if any(name in model_id.lower() for name in _NOT_STEERABLE):
        return {}
    return {name: {"reasoningEffort": name} for name in ("low", "medium", "high")}


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
