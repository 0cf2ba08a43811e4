"""``ostler models --refresh``: a newer public catalogue, when it is asked for and not before."""

import json
from pathlib import Path
from typing import Any

from tests.support.command import Place
from tests.support.oauth_server import site

FAST = {"cost": {"input": 30, "output": 150}, "provider": {"body": {"speed": 1}}}
MODEL: dict[str, Any] = {
    "id": "sharp-1",
    "name": "Sharp 1",
    "release_date": "2026-11-01",
    "attachment": True,
    "reasoning": True,
    "reasoning_options": [{"type": "effort", "values": ["low", "high"]}],
    "temperature": False,
    "tool_call": True,
    "interleaved": {"field": "reasoning_content"},
    "cost": {
        "input": 3,
        "output": 15,
        "cache_read": 0.3,
        "context_over_200k": {"input": 6, "output": 22.5},
        "tiers": [{"input": 6, "output": 22.5, "tier": {"type": "context", "size": 200_000}}],
    },
    "limit": {"context": 400_000, "output": 64_000},
    "modalities": {"input": ["text", "image"], "output": ["text"]},
    "experimental": {
        "modes": {
            "fast": {"cost": {"input": 30, "output": 150}, "provider": {"body": {"speed": 1}}}
        }
    },
    "unheard_of": True,
}
DOCUMENT = {
    "newcomer": {
        "id": "newcomer",
        "name": "Newcomer",
        "env": ["NEWCOMER_KEY"],
        "npm": "@ai-sdk/openai-compatible",
        "api": "https://newcomer.example/v1",
        "models": {"sharp-1": MODEL, "broken": {"limit": "none"}},
    }
}
KEY = {"NEWCOMER_KEY": "k"}


async def test_from_a_file(tmp_path: Path) -> None:
    place = Place(tmp_path)
    source = tmp_path / "api.json"
    source.write_text(json.dumps(DOCUMENT))
    variables = {**KEY, "OPENCODE_MODELS_PATH": str(source)}
    before = await place.ostler("models", "newcomer", variables=variables)
    assert before.code == 2
    done = await place.ostler("models", "newcomer", "--refresh", variables=variables)
    assert done.code == 0, done.err
    assert done.out.splitlines() == ["newcomer/sharp-1", "newcomer/sharp-1-fast"]
    shown = await place.ostler("models", "newcomer", "--verbose", variables=KEY)
    first, fast = (
        json.loads("{" + part.partition("{")[2]) for part in shown.out.split("newcomer/sharp-1")[1:]
    )
    assert first["api"] == {
        "id": "sharp-1",
        "url": "https://newcomer.example/v1",
        "npm": "@ai-sdk/openai-compatible",
    }
    assert first["cost"]["cache"] == {"read": 0.3, "write": 0}
    assert first["cost"]["tiers"][0]["tier"] == {"type": "context", "size": 200_000}
    assert first["cost"]["experimentalOver200K"]["output"] == 22.5
    assert first["capabilities"]["interleaved"] == {"field": "reasoning_content"}
    assert first["capabilities"]["input"]["image"] is True
    assert first["variants"] == {
        "low": {"reasoningEffort": "low"},
        "high": {"reasoningEffort": "high"},
    }
    assert fast["cost"]["input"] == 30
    assert fast["options"] == {"speed": 1}


async def test_from_an_address(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with site(DOCUMENT) as url:
        variables = {**KEY, "OPENCODE_MODELS_URL": url}
        done = await place.ostler("models", "newcomer", "--refresh", variables=variables)
    assert "newcomer/sharp-1" in done.out


async def test_what_fails_leaves_the_one_there_is(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for content, said in (("{}", "no model in it"), ("<html>", "no catalogue")):
        (tmp_path / "api.json").write_text(content)
        variables = {"OPENCODE_MODELS_PATH": str(tmp_path / "api.json")}
        failed = await place.ostler("models", "--refresh", variables=variables)
        assert failed.code == 1
        assert said in failed.err
    failed = await place.ostler(
        "models", "--refresh", variables={"OPENCODE_MODELS_URL": "http://127.0.0.1:9"}
    )
    assert failed.code == 1
    (place.home / ".cache/ostler").mkdir(parents=True)
    (place.home / ".cache/ostler/models.catalogue").write_bytes(b"nonsense")
    still = await place.ostler("models", "groq", variables={"GROQ_API_KEY": "k"})
    assert "groq/" in still.out


async def test_a_key_of_a_provider_that_came_with_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    source = tmp_path / "api.json"
    source.write_text(json.dumps(DOCUMENT))
    variables = {"OPENCODE_MODELS_PATH": str(source)}
    login = ("auth", "login", "-p", "Newcomer")
    unknown = await place.ostler(*login, stdin="key\n")
    assert unknown.code == 2
    refreshed = await place.ostler("models", "--refresh", variables=variables)
    assert refreshed.code == 0, refreshed.err
    known = await place.ostler(*login, stdin="key\n")
    assert (known.code, known.out) == (0, "Logged in to newcomer\n"), known.err
    listed = await place.ostler("auth", "list")
    assert "Newcomer api" in listed.out
    assert "newcomer/sharp-1" in (await place.ostler("models", "newcomer")).out
