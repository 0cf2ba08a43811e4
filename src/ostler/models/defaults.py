"""What a model is asked with where nobody says otherwise: options and sampling by its name.

The values are OpenCode 1.18's, which are its makers' experience with each family.
"""

from typing import Any

from ostler.schema.provider import Model

_GOOGLE = ("@ai-sdk/google", "@ai-sdk/google-vertex")
_CACHE_KEYS = {
    "@ai-sdk/cerebras": "prompt_cache_key",
    "@ai-sdk/deepinfra": "prompt_cache_key",
    "@ai-sdk/mistral": "prompt_cache_key",
    "@ai-sdk/xai": "prompt_cache_key",
    "venice-ai-sdk-provider": "prompt_cache_key",
}
"""Wires of chat completions that take a key for their cache, and its name there."""
_TEMPERATURES = (
    ("qwen", 0.55), ("claude", None), ("gemini", 1.0), ("glm-4.6", 1.0), ("glm-4.7", 1.0),
    ("minimax-m2", 1.0), ("kimi-k2-thinking", 1.0), ("kimi-k2", 0.6),
)  # fmt: skip
_LEAST = ("none", "minimal", "low")
_TOP_P = (("qwen", 1.0), ("minimax-m2", 0.95), ("gemini", 0.95))


def options_of(model: Model) -> dict[str, Any]:
    """Provider options of a conversation with the model, below every configured one."""
    name, npm = model.api.id.lower(), model.api.npm
    options: dict[str, Any] = {}
    if "gpt-5" in name and "gpt-5-chat" not in name and "gpt-5-pro" not in name:
        options["reasoningEffort"] = "medium"
        if "gpt-5." in name and "codex" not in name and "azure" not in npm:
            options["textVerbosity"] = "low"
        if npm not in ("@ai-sdk/openai", "@ai-sdk/azure", "@ai-sdk/amazon-bedrock/mantle"):
            options.pop("textVerbosity", None)
            if not model.capabilities.reasoning:
                options.pop("reasoningEffort")
    if npm in _GOOGLE and model.capabilities.reasoning:
        options["thinkingConfig"] = {"includeThoughts": True}
        if "gemini-3" in name:
            options["thinkingConfig"]["thinkingLevel"] = "high"
    if model.providerID.startswith(("zai", "zhipuai")) and npm == "@ai-sdk/openai-compatible":
        options["thinking"] = {"type": "enabled", "clear_thinking": False}
    return options


def small_options_of(model: Model) -> dict[str, Any]:
    """Those of a small task, such as a title: as little thinking as the model can be asked for."""
    if model.api.npm in _GOOGLE and "2.5-flash" in model.api.id:
        return {"thinkingConfig": {"thinkingBudget": 0}}
    variants = model.variants or {}
    return dict(next((variants[name] for name in _LEAST if name in variants), {}))


def temperature_of(model: Model) -> float | None:
    return next((t for name, t in _TEMPERATURES if name in model.id.lower()), None)


def top_p_of(model: Model) -> float | None:
    return next((p for name, p in _TOP_P if name in model.id.lower()), None)


def cache_key_field(npm: str, wanted: Any) -> str:
    """The field of a chat completion that takes the cache's key; empty where none is sent.
    ``wanted``: the provider's ``setCacheKey``."""
    if wanted is False:
        return ""
    return _CACHE_KEYS.get(npm, "prompt_cache_key" if wanted else "")
