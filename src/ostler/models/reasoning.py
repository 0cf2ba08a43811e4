"""How hard a model thinks, in the words of its wire.

Which models take what: the catalogue where it says so, else OpenCode 1.18's rules by wire and name.
"""

from collections.abc import Sequence
from typing import Any

from ostler.schema.message import Thinking
from ostler.schema.provider import Model

Variants = dict[str, dict[str, Any]]

DEFAULT_BUDGET = 16_000
MOST_BUDGET = 31_999
GOOGLE_MOST_BUDGET = 24_576
_EFFORTS = ((4_096, "low"), (16_384, "medium"))
_GOOGLE = ("@ai-sdk/google", "@ai-sdk/google-vertex")
_OPENAI = ("@ai-sdk/openai", "@ai-sdk/azure", "@ai-sdk/amazon-bedrock/mantle")
_BEDROCK = "@ai-sdk/amazon-bedrock"
_OPENROUTER = "@openrouter/ai-sdk-provider"
_NOT_STEERABLE = (
    "deepseek-chat", "deepseek-reasoner", "deepseek-r1", "deepseek-v3", "glm", "kimi", "minimax",
    "mistral", "qwen",
)  # fmt: skip
"""Names of models that think but take no effort."""


def effort(npm: str, level: str) -> dict[str, Any]:
    """Options of a level such as ``low``."""
    if npm in _GOOGLE:
        return {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": level}}
    if npm == _BEDROCK:
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}}
    if npm == _OPENROUTER:
        return {"reasoning": {"effort": level}}
    if npm in _OPENAI:
        return {"reasoningEffort": level, "reasoningSummary": "auto"}
    if npm.endswith("anthropic"):
        return {"thinking": {"type": "adaptive", "display": "summarized"}, "effort": level}
    return {"reasoningEffort": level}


def budget(npm: str, tokens: int) -> dict[str, Any]:
    """Options of so many tokens of thinking; empty where the wire knows levels only."""
    if npm in _GOOGLE:
        return {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": tokens}}
    if npm == _BEDROCK:
        return {"reasoningConfig": {"type": "enabled", "budgetTokens": tokens}}
    if npm.endswith("anthropic"):
        return {"thinking": {"type": "enabled", "budgetTokens": tokens}}
    return {}


def variants_of(npm: str, model_id: str, output_limit: int | float) -> Variants:
    """The variants of a model that reasons, where nobody says any."""
    name = model_id.lower()
    if npm in _GOOGLE:
        if "2.5" in name:
            return _budgets(npm, GOOGLE_MOST_BUDGET, output_limit)
        return {level: effort(npm, level) for level in ("low", "high")}
    if npm.endswith("anthropic") or (npm == _BEDROCK and "anthropic" in name):
        return _budgets(npm, MOST_BUDGET, output_limit)
    if any(known in name for known in _NOT_STEERABLE):
        return {}
    return {level: effort(npm, level) for level in ("low", "medium", "high")}


def variants_from(
    npm: str, choices: Sequence[dict[str, Any]], output_limit: int | float
) -> Variants:
    """The variants of what the catalogue says a model can be told (``reasoning_options``)."""
    for choice in choices:
        if choice.get("type") == "effort":
            levels = [str(v) for v in choice.get("values") or ()]
            return {level: effort(npm, level) for level in levels}
    for choice in choices:
        if choice.get("type") == "budget_tokens" and budget(npm, 1):
            return _budgets(npm, int(choice.get("max") or MOST_BUDGET), output_limit)
    return {}


def _budgets(npm: str, most: int, output_limit: int | float) -> Variants:
    """Thinking within the limit of an answer."""
    most = min(most, int(output_limit) - 1) if output_limit else most
    return {
        name: budget(npm, min(tokens, most))
        for name, tokens in (("high", DEFAULT_BUDGET), ("max", most))
    }


def options_for(model: Model, thinking: Thinking | None) -> dict[str, Any]:
    """Provider options for the ``thinking`` of a prompt; none where the model does not reason or
    nothing was asked for."""
    if thinking is None or not model.capabilities.reasoning:
        return {}
    npm = model.api.npm
    tokens = thinking.budget_tokens or DEFAULT_BUDGET
    if thinking.type == "disabled":
        if npm.endswith("anthropic"):
            return {"thinking": {"type": "disabled"}}
        return {"thinkingConfig": {"thinkingBudget": 0}} if npm in _GOOGLE else {}
    anthropics = npm != _BEDROCK or "anthropic" in model.api.id
    if anthropics and (options := budget(npm, tokens)):
        return options
    return effort(npm, next((name for most, name in _EFFORTS if tokens <= most), "high"))
