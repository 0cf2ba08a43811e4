"""LiteLLM's proxy, an OpenAI-compatible server of another maker, in front of a scripted model.

It lives in an environment of its own (``make peers``): it pins what the rest should not be held
back by.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ostler.models.registry import ANTHROPIC, GEMINI, RESPONSES
from tests.support.command import free_port, kill
from tests.support.model_server import ModelServer, calls, text
from tests.support.product import serving, texts

PEERS = Path(os.environ.get("OSTLER_PEERS") or Path(__file__).parents[2] / ".venv-peers")
PROXY = PEERS / "bin/litellm"
START_SECONDS = 90
BRIDGED = {RESPONSES: "deepseek/m1", ANTHROPIC: "hosted_vllm/m1", GEMINI: "bridged"}
BELOW = {GEMINI: "/v1beta"}
"""Wire -> a model of the proxy that is spoken to by it, and that the proxy asks by another."""

pytestmark = pytest.mark.skipif(
    not PROXY.exists() and not os.environ.get("OSTLER_PEERS_REQUIRED"),
    reason="no .venv-peers here: `make peers` makes it",
)


@asynccontextmanager
async def litellm(folder: Path, upstream: str) -> AsyncIterator[str]:
    """The proxy's base URL. Models: ``mock``, which it answers itself, ``relayed``, and BRIDGED."""
    folder.mkdir()
    config = {
        "model_list": [
            _model("mock", model="openai/mock", api_key="x", mock_response="Hello from the proxy"),
            _model("relayed", model="openai/m1", api_key="upstream-key", api_base=upstream),
            *(
                _model(
                    name,
                    model=name if "/" in name else f"hosted_vllm/{name}",
                    api_key="upstream-key",
                    api_base=upstream,
                )
                for name in BRIDGED.values()
            ),
        ],
        "general_settings": {"master_key": "sk-test"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    port = str(free_port())
    process = await asyncio.create_subprocess_exec(
        PROXY,
        *("--config", "config.yaml", "--host", "127.0.0.1", "--port", port),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await _ready(f"http://127.0.0.1:{port}/health/liveliness", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        kill(process)
        await process.wait()


def _model(name: str, **parameters: str) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": parameters}


async def _ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while True:
            assert process.returncode is None, f"litellm ended with {process.returncode}"
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)


async def test_a_full_turn(tmp_path: Path) -> None:
    script = [
        calls(("bash", {"command": "echo one"}), ("bash", {"command": "echo two"})),
        text("both ", "done"),
    ]
    async with (
        ModelServer(script) as upstream,
        litellm(tmp_path / "proxy", upstream.url) as url,
        serving(
            tmp_path,
            options={"baseURL": url, "apiKey": "sk-test"},
            config={"small_model": "test/mock"},
            models=["relayed", "mock"],
        ) as ostler,
    ):
        session = await ostler.create()
        relayed = {"providerID": "test", "modelID": "relayed"}
        answer = await ostler.prompt(session, "go", model=relayed)
        assert texts(answer) == "both done"
        outputs = [p["state"]["output"].strip() for p in await ostler.parts(session, "tool")]
        assert outputs == ["one", "two"]
        results = [m for m in upstream.requests[1]["messages"] if m["role"] == "tool"]
        assert [r["content"].strip() for r in results] == ["one", "two"]

        mock = {"providerID": "test", "modelID": "mock"}
        answer = await ostler.prompt(session, "and you", model=mock)
        assert texts(answer) == "Hello from the proxy"
        assert answer["info"]["tokens"]["output"] > 0

        unknown = {"providerID": "test", "modelID": "m1"}  # known here, unknown to the proxy
        answer = await ostler.prompt(session, "and you", model=unknown)
        assert answer["info"]["error"]["name"] == "APIError"
        assert "m1" in answer["info"]["error"]["data"]["message"]
        assert texts(await ostler.prompt(session, "still there", model=mock))


@pytest.mark.parametrize("npm", list(BRIDGED))
async def test_a_full_turn_over_other_wires(tmp_path: Path, npm: str) -> None:
    script = [
        calls(("bash", {"command": "echo one"}), ("bash", {"command": "echo two"})),
        text("both ", "done"),
    ]
    async with (
        ModelServer(script, titles=False) as upstream,
        litellm(tmp_path / "proxy", upstream.url) as url,
        serving(
            tmp_path,
            options={
                "baseURL": url.removesuffix("/v1") + BELOW.get(npm, "/v1"),
                "apiKey": "sk-test",
            },
            config={"small_model": "test/mock"},
            model={"id": BRIDGED[npm], "provider": {"npm": npm}},
            models=["mock"],
        ) as ostler,
    ):
        session = await ostler.create(title="Named")
        answer = await ostler.prompt(session)
        assert texts(answer) == "both done"
        outputs = [p["state"]["output"].strip() for p in await ostler.parts(session, "tool")]
        assert outputs == ["one", "two"]
        # Of what Gemini's wire is told of tokens, the proxy knows nothing.
        assert npm == GEMINI or answer["info"]["tokens"]["output"] > 0
        results = [m for m in upstream.requests[-1]["messages"] if m["role"] == "tool"]
        said = [r["content"] for r in results]
        if npm == GEMINI:  # whose results are objects, which the proxy hands on as such
            said = [json.loads(content)["output"] for content in said]
        assert [content.strip() for content in said] == ["one", "two"]
