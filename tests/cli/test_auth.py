"""``ostler auth``: keys and sign-ins, kept for their owner alone."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.command import Place
from tests.support.model_server import ModelServer, text
from tests.support.oauth_server import OAuthServer, site

KEPT = ".local/share/ostler/auth.json"


def kept(place: Place) -> Any:
    return json.loads((place.home / KEPT).read_text())


async def test_a_key_is_kept_listed_and_forgotten(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = await place.ostler("auth", "login", "-p", "Groq", stdin="gsk-secret\n")
    assert done.code == 0, done.err
    assert kept(place) == {"groq": {"type": "api", "key": "gsk-secret"}}
    assert (place.home / KEPT).stat().st_mode & 0o777 == 0o600
    listed = await place.ostler("auth", "list", variables={"OPENAI_API_KEY": "sk-other"})
    assert "Groq api" in listed.out
    assert "1 credentials" in listed.out
    assert "OpenAI OPENAI_API_KEY" in listed.out
    assert "secret" not in listed.out
    assert "sk-other" not in listed.out
    assert "groq/" in (await place.ostler("models", "groq")).out
    assert (await place.ostler("providers", "logout", "groq")).code == 0
    assert kept(place) == {}
    again = await place.ostler("auth", "logout", "groq")
    assert (again.code, again.err.strip()) == (2, "Error: No credentials are kept")


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["login", "-p", "grok"], "", "Did you mean: groq"),
        (["login", "-p", "groq"], "", "No key was given"),
        (["login"], "", "there is no terminal"),
        (["login", "-p", "groq", "-m", "magic"], "", "none of key"),
        (["login", "http://127.0.0.1:9"], "", "/.well-known/opencode"),
    ],
)
async def test_what_cannot_be(tmp_path: Path, arguments: list[str], stdin: str, said: str) -> None:
    place = Place(tmp_path)
    done = await place.ostler("auth", *arguments, stdin=stdin)
    assert done.code in (1, 2)
    assert said in done.err
    assert not (place.home / KEPT).exists()


async def test_a_site_that_describes_its_own_sign_in(tmp_path: Path) -> None:
    place = Place(tmp_path)
    described = {"auth": {"command": ["echo", "the-token"], "env": "SITE_TOKEN"}}
    async with site(described) as url:
        refused = await place.ostler("auth", "login", url)
        assert "would run: echo the-token" in refused.out
        assert refused.code == 2
        done = await place.ostler("auth", "login", url + "/", "--yes")
        assert done.code == 0, done.err
        entry = {"type": "wellknown", "key": "SITE_TOKEN", "token": "the-token"}
        assert kept(place) == {url: entry}


@pytest.mark.parametrize("flow", ["device", "browser"])
async def test_signing_in_and_working_with_it(tmp_path: Path, flow: str) -> None:
    place = Place(tmp_path)
    async with OAuthServer() as server, ModelServer([text("hello")]) as models:
        place.configure(models.url)
        path = place.home / ".config/opencode/opencode.json"
        config = json.loads(path.read_text())
        del config["provider"]["test"]["options"]["apiKey"]
        config["provider"]["test"]["oauth"] = server.config(flow)
        path.write_text(json.dumps(config))
        process = await place.start("auth", "login", "-p", "test")
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[-1]
        if flow == "browser":
            async with httpx.AsyncClient(trust_env=False) as browser:
                wrong = await browser.get(server.visit(url).replace("state=", "state=x"))
                assert wrong.status_code == 400
                assert "Signed in" in (await browser.get(server.visit(url))).text
        async with asyncio.timeout(20):
            out, err = await process.communicate()
        assert process.returncode == 0, err
        assert b"Logged in to test" in out
        assert kept(place)["test"]["access"] == "token-1"
        assert (await place.ostler("run", "hi")).out == "hello\n"
        assert models.headers[0]["authorization"] == "Bearer token-1"


async def test_a_sign_in_that_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with OAuthServer() as server:
        server.refusal = "not you"
        place.configure("http://127.0.0.1:9", {})
        path = place.home / ".config/opencode/opencode.json"
        config = json.loads(path.read_text())
        config["provider"]["test"]["oauth"] = server.config("device")
        path.write_text(json.dumps(config))
        done = await place.ostler("auth", "login", "-p", "test")
        assert done.code == 1
        assert "not you" in done.err


ACCOUNT = """
def authorize(inputs):
    def callback(code):
        if code != "right":
            return {"type": "failed"}
        return {"type": "success", "access": inputs["who"], "refresh": "r", "expires": 1}
    return {"url": "http://sign.in", "instructions": "Look", "method": "code", "callback": callback}

def knows(value):
    return None if value != "nobody" else "that is nobody"

auth = {
    "provider": "acme",
    "methods": [
        {"type": "oauth", "label": "Account", "authorize": authorize,
         "prompts": [{"type": "text", "key": "who", "message": "Who", "validate": knows},
                     {"type": "text", "key": "x", "message": "X",
                      "when": {"key": "who", "op": "eq", "value": "x"}}]},
        {"type": "api", "label": "Long key"},
    ],
}
"""


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "outcome"),
    [
        ([], "me\nright\n", 0, {"type": "oauth", "access": "me", "refresh": "r", "expires": 1}),
        (["-m", "long key"], "secret\n", 0, {"type": "api", "key": "secret"}),
        ([], "me\nwrong\n", 1, "the sign-in failed"),
        ([], "nobody\n", 2, "Who: that is nobody"),
        (["-m", "magic"], "", 2, "none of Account, Long key, key"),
    ],
)
async def test_a_plugins_ways(
    tmp_path: Path, arguments: list[str], stdin: str, code: int, outcome: Any
) -> None:
    place = Place(tmp_path)
    file = place.home / ".config/opencode/plugin/acme.py"
    file.parent.mkdir(parents=True)
    file.write_text(ACCOUNT)
    done = await place.ostler("auth", "login", "-p", "acme", *arguments, stdin=stdin)
    assert done.code == code, done.err
    if isinstance(outcome, dict):
        assert kept(place) == {"acme": outcome}
    else:
        assert outcome in done.err
