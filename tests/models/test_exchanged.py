"""Providers whose key is exchanged for a token: GitLab Duo, IBM watsonx, SAP AI Core."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from ostler.models.gitlab import behind
from tests.models.test_anthropic import START, ended
from tests.models.test_anthropic import said as anthropic_text
from tests.models.test_official_types import chat
from tests.support.model_server import DONE, event
from tests.support.product import serving, texts

Answer = tuple[int, bytes, str]
Request = tuple[str, dict[str, str], bytes]


class Cloud:
    """An HTTP server that answers by path; ``requests`` holds (path, headers, body)."""

    def __init__(self, answers: Callable[[str], Answer]) -> None:
        self._answers = answers
        self.requests: list[Request] = []

    async def __aenter__(self) -> "Cloud":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.strip().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (part.partition(":") for part in rest)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = line.split()[1]
        self.requests.append((path, headers, body))
        status, data, kind = self._answers(path)
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n"
            "connection: close\r\n\r\n".encode()
            + data
        )
        await writer.drain()
        writer.close()

    def to(self, part: str) -> list[Request]:
        return [r for r in self.requests if part in r[0]]


def as_json(value: Any, status: int = 200) -> Answer:
    return status, json.dumps(value).encode(), "application/json"


def as_stream(*chunks: bytes) -> Answer:
    return 200, b"".join(chunks), "text/event-stream"


def hello() -> list[bytes]:
    return [chat(delta={"role": "assistant", "content": "hello"}), chat(finish_reason="stop"), DONE]


def model_of(npm: str, name: str = "m") -> dict[str, Any]:
    return {"provider": {"npm": npm}, "id": name}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("duo-chat-sonnet-4-5", "/ai/v1/proxy/anthropic/v1/messages"),
        ("duo-chat-gpt-5-1", "/ai/v1/proxy/openai/v1/chat/completions"),
        ("duo-chat-gpt-5-2-codex", "/ai/v1/proxy/openai/v1/responses"),
    ],
)
async def test_gitlab(tmp_path: Path, name: str, place: str) -> None:
    def answers(path: str) -> Answer:
        if path.endswith("direct_access"):
            return as_json({"token": "gateway", "headers": {"X-Own": "1", "x-api-key": "no"}})
        if "messages" in path:
            return as_stream(START, *anthropic_text("hello"), *ended("end_turn"))
        if "responses" in path:
            item = {"type": "message", "content": [{"type": "output_text", "text": "hello"}]}
            return as_stream(
                event({"type": "response.output_item.done", "output_index": 0, "item": item}),
                event({"type": "response.completed", "response": {}}),
            )
        return as_stream(*hello())

    async with Cloud(answers) as cloud:
        options = {"instanceUrl": cloud.url, "aiGatewayUrl": cloud.url, "baseURL": cloud.url}
        async with serving(
            tmp_path,
            options={**options, "apiKey": f"glpat-{name}"},
            model=model_of("gitlab-ai-provider", name),
        ) as ostler:
            session = await ostler.create(title="Named")
            for _ in range(2):
                assert texts(await ostler.prompt(session)) == "hello"
        (exchange,) = cloud.to("direct_access")
        assert exchange[1]["authorization"] == f"Bearer glpat-{name}"
        first, _ = cloud.to(place)
        assert first[1]["authorization"] == "Bearer gateway"
        assert first[1]["x-own"] == "1"
        assert "x-api-key" not in first[1]
        assert json.loads(first[2])["model"] == behind(name)


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("duo-chat-fable-5-1", "claude-fable-5-1"),
        ("duo-chat-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("duo-chat-gpt-5-4-mini", "gpt-5.4-mini"),
        ("duo-chat-gpt-5-codex", "gpt-5-codex"),
        ("duo-chat-gpt-5-6-sol", "gpt-5.6-sol"),
        ("duo-chat-gpt-6-astra", "gpt-6-astra"),
    ],
)
def test_names_behind_duos(name: str, known_as: str) -> None:
    assert behind(name) == known_as


async def test_watsonx(tmp_path: Path) -> None:
    refused = [True]

    def answers(path: str) -> Answer:
        if path == "/iam":
            return as_json({"access_token": "iam-token", "expires_in": 3600})
        if refused and refused.pop():
            return as_json({"errors": [{"message": "token was revoked"}]}, 401)
        return as_stream(*hello()[:-1])

    async with Cloud(answers) as cloud:
        options = {"baseURL": cloud.url, "iamUrl": f"{cloud.url}/iam", "apiKey": "ibm-key"}
        async with serving(
            tmp_path,
            options=options,
            model=model_of("watsonx-ai-provider", "ibm/granite"),
            WATSONX_AI_PROJECT_ID="project",
        ) as ostler:
            session = await ostler.create(title="Named")
            assert (await ostler.prompt(session))["info"]["error"]["data"]["statusCode"] == 401
            assert texts(await ostler.prompt(session)) == "hello"
        asked = [parse_qs(body.decode())["apikey"] for _, _, body in cloud.to("/iam")]
        assert asked == [["ibm-key"]] * 2  # the token that was refused is not used again
        path, headers, body = cloud.to("chat_stream")[-1]
        assert path.startswith("/ml/v1/text/chat_stream?version=")
        assert headers["authorization"] == "Bearer iam-token"
        sent = json.loads(body)
        assert (sent["model_id"], sent["project_id"]) == ("ibm/granite", "project")
        assert not {"model", "stream", "stream_options"} & set(sent)
        assert sent["tools"]


async def test_sap(tmp_path: Path) -> None:
    def wrapped(chunk: bytes) -> bytes:
        if chunk == DONE:
            return chunk
        return event({"request_id": "r", "final_result": json.loads(chunk[6:])})

    def answers(path: str) -> Answer:
        if path == "/oauth/token":
            return as_json({"access_token": "sap-token", "expires_in": 100})
        if path.startswith("/v2/lm/deployments"):
            return as_json({"resources": [{"id": "d1"}]})
        return as_stream(*map(wrapped, hello()))

    async with Cloud(answers) as cloud:
        key = {
            "clientid": "id",
            "clientsecret": "secret",
            "url": cloud.url,
            "serviceurls": {"AI_API_URL": cloud.url},
        }
        async with serving(
            tmp_path,
            options={"apiKey": json.dumps(key), "baseURL": cloud.url},
            model=model_of("@jerome-benoit/sap-ai-provider-v2", "gpt-5"),
        ) as ostler:
            session = await ostler.create(title="Named")
            assert texts(await ostler.prompt(session)) == "hello"
        (token,) = cloud.to("/oauth/token")
        assert token[1]["authorization"].startswith("Basic ")
        path, headers, body = cloud.to("completion")[0]
        assert path == "/v2/inference/deployments/d1/v2/completion"
        assert headers["authorization"] == "Bearer sap-token"
        assert headers["ai-resource-group"] == "default"
        sent = json.loads(body)
        modules = sent["config"]["modules"]["prompt_templating"]
        assert modules["model"]["name"] == "gpt-5"
        assert modules["prompt"]["template"] == [{"role": "user", "content": "go"}]
        assert modules["prompt"]["tools"]
        assert sent["messages_history"][0]["role"] == "system"
        assert sent["config"]["stream"] == {"enabled": True}


@pytest.mark.parametrize(
    ("npm", "said"),
    [
        ("gitlab-ai-provider", "GITLAB_TOKEN"),
        ("watsonx-ai-provider", "WATSONX_AI_PROJECT_ID"),
        ("@jerome-benoit/sap-ai-provider-v2", "AICORE_SERVICE_KEY"),
    ],
)
async def test_what_is_missing_is_named(tmp_path: Path, npm: str, said: str) -> None:
    async with serving(tmp_path, options={"apiKey": ""}, model=model_of(npm)) as ostler:
        answer = await ostler.prompt(await ostler.create(title="Named"))
        assert answer["info"]["error"]["name"] == "ProviderAuthError"
        assert said in answer["info"]["error"]["data"]["message"]
