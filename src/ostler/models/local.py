"""Model servers on this machine, found by asking their usual ports.

Asked only when nothing else is connected, all ports at once, and a refused connection answers at
once, so it costs a millisecond where nothing listens.
"""

import asyncio
from collections.abc import Mapping

import msgspec

from ostler.schema.config import LimitConfig, ModelConfig, ProviderConfig
from ostler.transport import DirectTransport, HttpRequest, Timeouts, TransportError, read_body

SERVERS: dict[str, tuple[str, int]] = {
    "ollama": ("Ollama", 11434),
    "lmstudio": ("LM Studio", 1234),
    "llamacpp": ("llama.cpp", 8080),
    "vllm": ("vLLM", 8000),
}
_TIMEOUTS = Timeouts(connect=0.5, header=1.0, chunk=1.0)


class _Entry(msgspec.Struct):
    id: str
    max_model_len: int | None = None  # vLLM


class _Listing(msgspec.Struct):
    data: list[_Entry]


async def find_servers(environment: Mapping[str, str]) -> dict[str, ProviderConfig]:
    """Provider id -> configuration, for each server that lists models the OpenAI way.

    ``OSTLER_DISABLE_LOCAL_MODELS=1`` asks nobody; ``OSTLER_LOCAL_MODELS=id=port,…`` asks others.
    """
    if environment.get("OSTLER_DISABLE_LOCAL_MODELS"):
        return {}
    servers = _servers(environment.get("OSTLER_LOCAL_MODELS"))
    found = await asyncio.gather(*(_ask(name, port) for name, port in servers.values()))
    return {key: config for key, config in zip(servers, found, strict=True) if config is not None}


def _servers(override: str | None) -> dict[str, tuple[str, int]]:
    if override is None:
        return SERVERS
    pairs = (entry.partition("=") for entry in override.split(",") if "=" in entry)
    return {key: (SERVERS.get(key, (key, 0))[0], int(port)) for key, _, port in pairs}


async def _ask(name: str, port: int) -> ProviderConfig | None:
    base = f"http://127.0.0.1:{port}/v1"
    transport = DirectTransport()
    try:
        async with asyncio.timeout(2.0):
            response = await transport.send(
                HttpRequest(f"{base}/models", {}, b"", method="GET", timeouts=_TIMEOUTS)
            )
            body = await read_body(response)
            await response.close()
        if response.status != 200:
            return None
        listing = msgspec.json.decode(body, type=_Listing)
    except (TransportError, TimeoutError, msgspec.DecodeError):
        return None
    finally:
        await transport.close()
    models = {
        entry.id: ModelConfig(
            name=entry.id,
            tool_call=True,
            limit=LimitConfig(context=entry.max_model_len or 0, output=0),
        )
        for entry in listing.data
        if "embed" not in entry.id
    }
    if not models:
        return None
    return ProviderConfig(
        name=f"{name} (local)",
        npm="@ai-sdk/openai-compatible",
        options={"baseURL": base, "apiKey": "local"},
        models=models,
    )
