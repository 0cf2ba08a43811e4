"""What chat completions are like at makers that have their own ideas, and what models are asked
with where nobody says otherwise."""

import re
from typing import Any

import msgspec
import pytest

from ostler.models import defaults, reasoning
from ostler.models.catalogue import packaged
from ostler.models.openai_chat import OpenAIChat
from ostler.models.request import (
    ChatMessage,
    TextBlock,
    ToolCallBlock,
    ToolDefinition,
    ToolResultBlock,
)
from ostler.schema.config import ModelConfig, ModelProviderConfig
from ostler.schema.message import Thinking
from tests.support import build, wires
from tests.support.model_server import DONE, delta

MESSAGES = [
    ChatMessage("system", (TextBlock("Be good."),)),
    ChatMessage("user", (TextBlock("one"),)),
    ChatMessage("assistant", (TextBlock("I will."), ToolCallBlock("call_17/x", "bash", {}))),
    ChatMessage("tool", (ToolResultBlock("call_17/x", "bash", "done"),)),
    ChatMessage("user", (TextBlock("two"),)),
]
TOOL = ToolDefinition(
    "bash", "Runs.", {"type": "object", "properties": {"n": {"type": ["integer", "null"]}}}
)


async def sent(npm: str = "", model_id: str = "m", **fields: Any) -> dict[str, Any]:
    """The body of a conversation with a model of this package and name."""
    config = ModelConfig(id=model_id, provider=ModelProviderConfig(npm=npm or None))
    provider = build.provider("http://127.0.0.1:1", config, **fields.pop("options", {}))
    chunks = [delta({"content": "x"}, "stop"), DONE]
    fields.setdefault("messages", MESSAGES)
    transport_fields = {"model": provider.models["m1"], "provider": provider, **fields}
    _, body = await wires.ask(OpenAIChat, chunks, judged=False, **transport_fields)
    return body


async def test_mistral_has_short_ids_and_an_answer_before_a_person_speaks() -> None:
    body = await sent("@ai-sdk/mistral", "mistral-large")
    roles = [m["role"] for m in body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    call_id = body["messages"][2]["tool_calls"][0]["id"]
    assert re.fullmatch(r"[A-Za-z0-9]{9}", call_id)
    assert body["messages"][3]["tool_call_id"] == call_id
    assert (await sent())["messages"][3]["tool_call_id"] == "call_17/x"


async def test_claude_elsewhere_caches_what_is_marked() -> None:
    marker = {"type": "ephemeral"}
    for npm in ("@openrouter/ai-sdk-provider", "@ai-sdk/openai-compatible"):
        body = await sent(npm, "anthropic/claude-sonnet-4.5")
        marked = [
            index
            for index, message in enumerate(body["messages"])
            if isinstance(message["content"], list)
            and message["content"][-1].get("cache_control") == marker
        ]
        assert marked == [0, 3, 4]
    plain = await sent("@openrouter/ai-sdk-provider", "openai/gpt-5")
    assert "cache_control" not in str(plain)


async def test_fields_by_maker() -> None:
    usual = await sent(max_output=7, session_id="ses_1", tools=[TOOL])
    assert usual["max_tokens"] == 7
    assert usual["tools"]
    assert "prompt_cache_key" not in usual
    assert "usage" not in usual
    xai = await sent("@ai-sdk/xai", max_output=7, session_id="ses_1")
    assert xai["max_completion_tokens"] == 7
    assert xai["prompt_cache_key"] == "ses_1"
    assert "tools" not in await sent("@ai-sdk/perplexity", tools=[TOOL])
    assert (await sent("@openrouter/ai-sdk-provider"))["usage"] == {"include": True}
    wanted = await sent(session_id="ses_1", options={"setCacheKey": True})
    assert wanted["prompt_cache_key"] == "ses_1"
    refused = await sent("@ai-sdk/xai", session_id="ses_1", options={"setCacheKey": False})
    assert "prompt_cache_key" not in refused


async def test_schemas_by_maker() -> None:
    def kind(body: dict[str, Any]) -> Any:
        return body["tools"][0]["function"]["parameters"]["properties"]["n"]

    assert kind(await sent(tools=[TOOL])) == {"type": ["integer", "null"]}
    gemini = await sent(model_id="google/gemini-2.5-pro", tools=[TOOL])
    assert kind(gemini) == {"type": "integer", "nullable": True}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("openai/gpt-5", {"reasoningEffort": "medium"}),
        ("openai/gpt-5.1", {"reasoningEffort": "medium", "textVerbosity": "low"}),
        ("openai/gpt-5-pro", {}),
        ("openai/gpt-4.1", {}),
        ("google/gemini-2.5-pro", {"thinkingConfig": {"includeThoughts": True}}),
        ("anthropic/claude-sonnet-4-5", {}),
        ("groq/openai/gpt-oss-120b", {}),
    ],
)
def test_usual_options(name: str, options: dict[str, Any]) -> None:
    provider_id, _, model_id = name.partition("/")
    provider = packaged().provider(provider_id)
    assert provider is not None
    assert defaults.options_of(provider.models[model_id]) == options


def test_a_small_task_takes_little_thinking() -> None:
    openai, google = packaged().provider("openai"), packaged().provider("google")
    assert openai is not None
    assert google is not None
    small = defaults.small_options_of(openai.models["gpt-5"])
    assert small["reasoningEffort"] == "minimal"
    flash = defaults.small_options_of(google.models["gemini-2.5-flash"])
    assert flash == {"thinkingConfig": {"thinkingBudget": 0}}


WIRES = [
    ("@ai-sdk/anthropic", "claude", "thinking"),
    ("@ai-sdk/google-vertex/anthropic", "claude", "thinking"),
    ("@ai-sdk/google", "gemini-2.5-pro", "thinkingConfig"),
    ("@ai-sdk/google", "gemini-3-pro", "thinkingConfig"),
    ("@ai-sdk/amazon-bedrock", "anthropic.claude", "reasoningConfig"),
    ("@ai-sdk/amazon-bedrock", "amazon.nova", "reasoningConfig"),
    ("@openrouter/ai-sdk-provider", "openai/o3", "reasoning"),
    ("@ai-sdk/openai", "gpt-5", "reasoningEffort"),
    ("@ai-sdk/openai-compatible", "m", "reasoningEffort"),
]


@pytest.mark.parametrize(("npm", "model_id", "option"), WIRES)
def test_thinking_in_the_words_of_each_wire(npm: str, model_id: str, option: str) -> None:
    variants = reasoning.variants_of(npm, model_id, 64_000)
    assert variants
    assert all(option in options for options in variants.values())
    config = ModelConfig(id=model_id, reasoning=True, provider=ModelProviderConfig(npm=npm))
    model = build.provider("http://127.0.0.1:1", config).models["m1"]
    assert model.variants == reasoning.variants_of(npm, model_id, 0)
    asked = reasoning.options_for(model, Thinking(type="enabled", budget_tokens=2_000))
    assert option in asked
    silent = msgspec.structs.replace(
        model, capabilities=msgspec.structs.replace(model.capabilities, reasoning=False)
    )
    assert reasoning.options_for(silent, Thinking(type="enabled")) == {}
