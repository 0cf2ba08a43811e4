"""Where a model is called: the configured address, the catalogue's, or that of the wire."""

import re
from collections.abc import Mapping

from ostler.schema.provider import Model, Provider

# The addresses that the JavaScript packages of these names have built in, which is why the
# catalogue has none for them.
DEFAULTS = {
    "@ai-sdk/anthropic": "https://api.anthropic.com/v1",
    "@ai-sdk/cerebras": "https://api.cerebras.ai/v1",
    "@ai-sdk/deepinfra": "https://api.deepinfra.com/v1/openai",
    "@ai-sdk/groq": "https://api.groq.com/openai/v1",
    "@ai-sdk/openai": "https://api.openai.com/v1",
    "@ai-sdk/mistral": "https://api.mistral.ai/v1",
    "@ai-sdk/perplexity": "https://api.perplexity.ai",
    "@ai-sdk/togetherai": "https://api.together.xyz/v1",
    "@ai-sdk/vercel": "https://api.v0.dev/v1",
    "@ai-sdk/xai": "https://api.x.ai/v1",
    "@openrouter/ai-sdk-provider": "https://openrouter.ai/api/v1",
    "venice-ai-sdk-provider": "https://api.venice.ai/api/v1",
}
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def endpoint(provider: Provider, model: Model, environment: Mapping[str, str]) -> str:
    """The address below which the model's routes are, with ``${VAR}`` filled in; empty where nobody
    knows one. A variable that is not set stays as it is, so that an error can name it."""
    url = provider.options.get("baseURL") or model.api.url or DEFAULTS.get(model.api.npm, "")
    return _VARIABLE.sub(lambda m: environment.get(m[1]) or m[0], str(url))
