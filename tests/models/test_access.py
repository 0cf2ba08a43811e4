"""Where models of the catalogue are called, and with which key."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ostler.models.access import how_to_connect, located
from ostler.models.catalogue import packaged
from ostler.models.registry import AZURE, VERTEX
from ostler.schema.provider import Model, Provider
from tests.models.test_gemini import chunk, ended
from tests.models.test_openai_responses import ended as completed
from tests.models.test_openai_responses import text as said
from tests.support.model_server import Reply, text
from tests.support.product import serving, texts


def known(name: str, **options: Any) -> tuple[Provider, Model]:
    provider_id, _, model_id = name.partition("/")
    provider = packaged().provider(provider_id)
    assert provider is not None
    return msgspec.structs.replace(provider, options=options), provider.models[model_id]


AZURE_ENV = {"AZURE_RESOURCE_NAME": "mine", "AZURE_API_KEY": "k"}
GCP = {"GOOGLE_CLOUD_PROJECT": "p"}
PLACES: list[tuple[str, dict[str, Any], dict[str, str], str, str]] = [
    ("openai/gpt-5", {}, {"OPENAI_API_KEY": "k"}, "https://api.openai.com/v1", "k"),
    ("azure/gpt-5", {}, AZURE_ENV, "https://mine.openai.azure.com/openai", "k"),
    ("azure/gpt-5", {"resourceName": "r"}, AZURE_ENV, "https://r.openai.azure.com/openai", "k"),
    ("azure/claude-opus-4-5", {"resourceName": "r"}, AZURE_ENV,
     "https://r.services.ai.azure.com/anthropic/v1", "k"),
    ("azure-cognitive-services/gpt-5", {}, {"AZURE_COGNITIVE_SERVICES_RESOURCE_NAME": "c"},
     "https://c.cognitiveservices.azure.com/openai/v1", ""),
    ("google/gemini-2.5-pro", {}, {"GEMINI_API_KEY": "g"},
     "https://generativelanguage.googleapis.com/v1beta", "g"),
    ("google-vertex/gemini-2.5-pro", {}, GCP,
     "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-central1"
     "/publishers/google", ""),
    ("google-vertex/gemini-2.5-pro", {"location": "global"}, GCP,
     "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global/publishers/google", ""),
    ("google-vertex/gemini-2.5-pro", {}, {"GOOGLE_VERTEX_API_KEY": "v"},
     "https://aiplatform.googleapis.com/v1/publishers/google", "v"),
    ("google-vertex-anthropic/claude-opus-4-5@20251101", {"location": "eu"}, GCP,
     "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/anthropic"
     "/models", ""),
    ("amazon-bedrock/amazon.nova-2-lite-v1:0", {},
     {"AWS_REGION": "eu-west-1", "AWS_BEARER_TOKEN_BEDROCK": "b", "AWS_SECRET_ACCESS_KEY": "s"},
     "https://bedrock-runtime.eu-west-1.amazonaws.com", "b"),
    ("cloudflare-workers-ai/@cf/openai/gpt-oss-120b", {},
     {"CLOUDFLARE_ACCOUNT_ID": "acc", "CLOUDFLARE_API_KEY": "k"},
     "https://api.cloudflare.com/client/v4/accounts/acc/ai/v1", "k"),
    ("vercel/alibaba/qwen-3-14b", {}, {}, "https://ai-gateway.vercel.sh/v1", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "environment", "url", "key"), PLACES)
def test_places(
    name: str, options: dict[str, Any], environment: dict[str, str], url: str, key: str
) -> None:
    provider, model = known(name, **options)
    if len(provider.env) == 1:
        provider = msgspec.structs.replace(provider, key=environment.get(provider.env[0]))
    found = located(provider, model, environment)
    assert found.options["baseURL"] == url
    assert (found.options.get("apiKey") or found.key or "") == key


def test_a_variable_that_is_missing_can_be_seen() -> None:
    provider, model = known("azure/gpt-5")
    assert "${AZURE_RESOURCE_NAME}" in located(provider, model, {}).options["baseURL"]


def test_cloudflares_gateway_has_its_token_in_a_header_of_its_own() -> None:
    provider, model = known("cloudflare-ai-gateway/openai/gpt-5")
    variables = {
        "CLOUDFLARE_API_TOKEN": "t",
        "CLOUDFLARE_ACCOUNT_ID": "a",
        "CLOUDFLARE_GATEWAY_ID": "g",
    }
    found = located(provider, model, variables)
    assert found.options["baseURL"] == "https://gateway.ai.cloudflare.com/v1/a/g/compat"
    assert found.options["headers"] == {"cf-aig-authorization": "Bearer t"}
    assert not found.options.get("apiKey")
    assert not found.key


@pytest.mark.parametrize("chat", [False, True])
async def test_a_turn_over_azure(tmp_path: Path, chat: bool) -> None:
    reply = text("hello") if chat else Reply([*said(0, "hello"), completed()])
    options = {"useCompletionUrls": True, "useDeploymentBasedUrls": True} if chat else {}
    model = {"provider": {"npm": AZURE}}
    async with serving(tmp_path, [reply], options=options, model=model) as ostler:
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "hello"
        assert ostler.model.headers[0]["api-key"] == "test-key"
        assert "authorization" not in ostler.model.headers[0]
        expected = "/v1/deployments/m1/chat/completions?api-version=v1" if chat else "/v1/responses"
        assert expected in ostler.model.paths


@asynccontextmanager
async def token_server() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Google's token endpoint on loopback, and what it was asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        asked.append(await reader.readexactly(length))
        body = json.dumps({"access_token": "fresh", "expires_in": 3600}).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token", asked


def service_account(path: Path, token_uri: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "p",
                "private_key_id": "1",
                "private_key": key.decode(),
                "client_email": "ostler@p.iam.gserviceaccount.com",
                "token_uri": token_uri,
            }
        )
    )


async def test_a_turn_over_vertex_with_a_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [Reply([chunk({"text": "hello"}), ended()])]
    model = {"provider": {"npm": VERTEX}}
    async with token_server() as (token_uri, asked):
        service_account(tmp_path / "account.json", token_uri)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
        async with serving(
            tmp_path, replies, options={"apiKey": ""}, model=model, titles=False
        ) as ostler:
            session = await ostler.create(title="Named")
            for _ in range(2):
                assert texts(await ostler.prompt(session)) == "hello"
            assert {h["authorization"] for h in ostler.model.headers} == {"Bearer fresh"}
            assert ostler.model.paths[0] == "/v1/models/m1:streamGenerateContent?alt=sse"
    assert len(asked) == 1
    assert b"assertion=" in asked[0]


async def test_credentials_that_are_missing_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    async with serving(
        tmp_path, options={"apiKey": ""}, model={"provider": {"npm": VERTEX}}
    ) as ostler:
        answer = await ostler.prompt(await ostler.create(title="Named"))
        error = answer["info"]["error"]
        assert error["name"] == "ProviderAuthError"
        assert "nothing.json" in error["data"]["message"]


async def test_an_address_with_a_gap_is_not_called(tmp_path: Path) -> None:
    async with serving(tmp_path, AZURE_API_KEY="k") as ostler:
        azure = {"providerID": "azure", "modelID": "gpt-5"}
        answer = await ostler.prompt(await ostler.create(title="Named"), model=azure)
        error = answer["info"]["error"]
        assert error["name"] == "ProviderAuthError"
        assert "AZURE_RESOURCE_NAME" in error["data"]["message"]


async def test_what_is_kept_beside_a_key_fills_the_address(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        kept = {"type": "api", "key": "k", "metadata": {"resourceName": "mine"}}
        await ostler.http.put("/auth/azure", json=kept)
        await ostler.post("/instance/dispose")
        await ostler.get("/provider")
        models = (await ostler.runtime.instance()).models
        model = models.get("azure", "gpt-5")
        provider = located(models.provider_of(model), model, {})
        assert provider.options["baseURL"] == "https://mine.openai.azure.com/openai"


@pytest.mark.parametrize(
    ("variables", "connected"),
    [
        ({"AWS_PROFILE": "p"}, "amazon-bedrock"),
        ({"GOOGLE_CLOUD_PROJECT": "p"}, "google-vertex"),
        ({"GOOGLE_VERTEX_API_KEY": "k"}, "google-vertex"),
    ],
)
async def test_clouds_connect_by_their_own_variables(
    tmp_path: Path, variables: dict[str, str], connected: str
) -> None:
    async with serving(tmp_path, **variables) as ostler:
        assert connected in (await ostler.get("/provider"))["connected"]


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("google", "GOOGLE_API_KEY or GOOGLE_GENERATIVE_AI_API_KEY or GEMINI_API_KEY"),
        ("azure", "AZURE_RESOURCE_NAME and AZURE_API_KEY"),
        ("amazon-bedrock", "AWS_BEARER_TOKEN_BEDROCK, AWS_PROFILE"),
        ("google-vertex", "GOOGLE_CLOUD_PROJECT"),
    ],
)
def test_what_has_to_be_set(provider: str, said: str) -> None:
    assert said in how_to_connect(provider, packaged().entries[provider].env)
