"""The catalogue: what is in it, what connects a provider of it, and how it is packed."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.models.access import located, package
from ostler.models.catalogue import Catalogue, CatalogueError, pack, packaged
from ostler.models.registry import speaks
from ostler.schema.provider import Provider
from tests.support.model_server import ModelServer, text
from tests.support.product import Json, serving, texts

KEYED = {"ANTHROPIC_API_KEY": "sk-secret", "GROQ_API_KEY": "gsk-secret"}


def test_a_provider_of_the_catalogue() -> None:
    catalogue = Catalogue()
    assert len(catalogue.entries) == 225
    anthropic = catalogue.provider("anthropic")
    assert anthropic is not None
    assert anthropic.env == ["ANTHROPIC_API_KEY"]
    model = anthropic.models[catalogue.entries["anthropic"].preferred]
    assert (model.providerID, model.api.npm) == ("anthropic", "@ai-sdk/anthropic")
    assert model.cost.input > 0
    assert model.limit.context > 100_000
    assert catalogue.provider("nobody") is None


def test_every_record_is_one() -> None:
    models = 0
    catalogue = Catalogue()
    for provider_id in catalogue.entries:
        provider = msgspec.json.decode(catalogue.record(provider_id), type=Provider)
        assert provider.id == provider_id
        models += len(provider.models)
    assert models == 8218


def described(models: dict[str, Any]) -> Json:
    return {"name": "N", "env": ["N_KEY"], "default_model": "", "models": models}


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(["a", "b"]), max_size=5))
def test_what_is_packed_can_be_looked_up(names: dict[str, str]) -> None:
    from tempfile import TemporaryDirectory

    known = Catalogue().provider("groq")
    assert known is not None
    model = msgspec.to_builtins(next(iter(known.models.values())))
    document = {name: described({inner: model}) for name, inner in names.items()}
    with TemporaryDirectory() as folder:
        path = Path(folder, "packed")
        path.write_bytes(pack(document))
        catalogue = Catalogue(str(path))
        assert set(catalogue.entries) == set(names)
        for name, inner in names.items():
            provider = catalogue.provider(name)
            assert provider is not None
            assert list(provider.models) == [inner]
            assert provider.models[inner].providerID == name


def test_a_model_that_is_none_is_named() -> None:
    with pytest.raises(CatalogueError, match="acme/m1"):
        pack({"acme": described({"m1": {"name": "M"}})})


@pytest.mark.parametrize("content", [b"", b"nonsense", b"OCT1\0\0\0\x05short"])
def test_a_file_that_is_no_catalogue(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CatalogueError, match=str(path)):
        _ = Catalogue(str(path)).entries


async def test_a_variable_connects_a_provider(tmp_path: Path) -> None:
    async with serving(tmp_path, **KEYED) as ostler:
        listed = await ostler.get("/provider")
        assert listed["connected"] == ["anthropic", "groq", "test"]
        assert len(listed["all"]) == 226
        assert len(listed["default"]) == 226
        found = {p["id"]: p for p in (await ostler.get("/config/providers"))["providers"]}
        assert set(found) == {"anthropic", "groq", "test"}
        assert (found["anthropic"]["source"], found["anthropic"]["key"]) == ("env", "sk-secret")
        assert all(
            m["status"] not in ("deprecated", "alpha") for m in found["groq"]["models"].values()
        )


async def test_the_default_model_can_do_the_work(tmp_path: Path) -> None:
    async with serving(tmp_path, GROQ_API_KEY="x") as ostler:
        listed = await ostler.get("/config/providers")
        groq = next(p for p in listed["providers"] if p["id"] == "groq")
        assert groq["models"][listed["default"]["groq"]]["capabilities"]["toolcall"]


async def test_a_wire_that_is_not_spoken_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path, model={"provider": {"npm": "some-package"}}) as ostler:
        answer = await ostler.prompt(await ostler.create(title="Named"))
        message = answer["info"]["error"]["data"]["message"]
        assert "needs the wire of some-package" in message
        assert "@ai-sdk/openai-compatible" in message


def test_every_model_of_the_catalogue_can_be_spoken_to() -> None:
    for provider_id in packaged().entries:
        provider = packaged().provider(provider_id)
        assert provider is not None
        for model in provider.models.values():
            assert speaks(package(model)), f"{provider_id}/{model.id}: {model.api.npm}"
            assert located(provider, model, {}).options["baseURL"] or provider_id == "sap-ai-core"


async def test_configuration_comes_over_the_catalogue(tmp_path: Path) -> None:
    async with ModelServer([text("from groq")]) as models:
        entry = {"options": {"baseURL": models.url}, "models": {"own": {"name": "Mine"}}}
        empty: Json = {"options": {}, "models": {}}
        config = {
            "enabled_providers": ["groq"],
            "provider": {"groq": entry, "test": empty},
            "model": "groq/own",
        }
        async with serving(tmp_path, config=config, GROQ_API_KEY="gsk") as ostler:
            (groq,) = (await ostler.get("/config/providers"))["providers"]
            assert groq["name"] == "Groq"
            assert groq["source"] == "config"
            assert groq["models"]["own"]["name"] == "Mine"
            assert len(groq["models"]) > 3
            answer = await ostler.prompt(await ostler.create())
            assert texts(answer) == "from groq"


async def test_a_kept_key_connects_a_provider(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        answer = await ostler.http.put("/auth/groq", json={"type": "api", "key": "k"})
        assert answer.status_code == 200
        await ostler.post("/instance/dispose")
        assert "groq" in (await ostler.get("/provider"))["connected"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("anthropic/claude-sonnet-4-6", "Anthropic is not connected: set ANTHROPIC_API_KEY"),
        ("gitlab/duo-chat-fable-5", "GitLab Duo is not connected: set GITLAB_TOKEN"),
    ],
)
async def test_what_is_missing_is_said(tmp_path: Path, model: str, said: str) -> None:
    provider, _, name = model.partition("/")
    async with serving(tmp_path) as ostler:
        session = await ostler.create()
        body = {
            "parts": [{"type": "text", "text": "x"}],
            "model": {"providerID": provider, "modelID": name},
        }
        answer = await ostler.http.post(f"/session/{session}/message", json=body)
        assert answer.status_code == 404
        assert said in answer.json()["data"]["message"]


async def test_the_model_a_person_chose_last_is_the_default(tmp_path: Path) -> None:
    chosen = tmp_path / "home/.local/state/opencode/model.json"
    chosen.parent.mkdir(parents=True)
    recent = [
        {"providerID": "gone", "modelID": "x"},
        {"providerID": "test", "modelID": "m2"},
    ]
    async with serving(tmp_path, [text("hi")], models=["m2", "m3"]) as ostler:
        config = tmp_path / "home/.config/opencode/opencode.json"
        written = json.loads(config.read_text())
        del written["model"]
        config.write_text(json.dumps(written))
        for content, model in (("", "m3"), (json.dumps({"recent": recent}), "m2"), ("{", "m3")):
            chosen.write_text(content)
            await ostler.post("/instance/dispose")
            answer = await ostler.prompt(await ostler.create())
            assert answer["info"]["modelID"] == model
