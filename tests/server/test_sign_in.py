"""Signing in to a provider over the API."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx

from tests.support.model_server import error, text
from tests.support.oauth_server import OAuthServer
from tests.support.product import Ostler, serving, texts


def configured(server: OAuthServer, flow: str, model_url: str) -> dict[str, Any]:
    model = {"provider": {"npm": "@ai-sdk/openai-compatible", "api": model_url}}
    entry = {"oauth": server.config(flow), "models": {"m": model}, "name": "Mine"}
    return {"provider": {"mine": entry}}


async def signed_in(ostler: Ostler, server: OAuthServer) -> None:
    assert (await ostler.get("/provider/auth")) == {"mine": [{"type": "oauth", "label": "Sign in"}]}
    start = await ostler.post("/provider/mine/oauth/authorize", {"method": 0})
    assert start["method"] == "auto"
    waiting = asyncio.create_task(ostler.post("/provider/mine/oauth/callback", {"method": 0}))
    async with httpx.AsyncClient(trust_env=False) as browser:
        await browser.get(server.visit(start["url"]))
    assert await waiting is True


async def test_a_browser_sign_in_is_renewed_when_it_runs_out(tmp_path: Path) -> None:
    async with OAuthServer(lives=30) as server:
        (tmp_path / "home/.config/opencode").mkdir(parents=True)
        async with serving(tmp_path, [text("hello")], titles=False) as ostler:
            local = ostler.root / "opencode.json"
            local.write_text(json.dumps(configured(server, "browser", ostler.model.url)))
            await ostler.post("/instance/dispose")
            await signed_in(ostler, server)
            mine = {"providerID": "mine", "modelID": "m"}
            session = await ostler.create(title="Named")
            assert texts(await ostler.prompt(session, model=mine)) == "hello"
            assert ostler.model.headers[-1]["authorization"] == "Bearer token-2"
            assert server.asked[-1]["grant_type"] == "refresh_token"
            server.refusal = "revoked"
            answer = await ostler.prompt(session, model=mine)
            error = answer["info"]["error"]
            assert error["name"] == "ProviderAuthError"
            assert "ostler auth login -p mine" in error["data"]["message"]


async def test_a_sign_in_that_is_not_going_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        for path, name in (
            ("authorize", "ProviderAuthValidationFailed"),
            ("callback", "ProviderAuthOauthMissing"),
        ):
            refused = await ostler.http.post(f"/provider/test/oauth/{path}", json={"method": 0})
            assert refused.status_code == 400
            assert refused.json()["name"] == name


async def test_a_pause_that_was_asked_for_is_seen_by_every_session(tmp_path: Path) -> None:
    async with OAuthServer() as server:
        busy = error(429, "slow down", {"retry-after": "30"})
        async with serving(tmp_path, [busy], titles=False) as ostler:
            local = ostler.root / "opencode.json"
            local.write_text(json.dumps(configured(server, "browser", ostler.model.url)))
            await ostler.post("/instance/dispose")
            await signed_in(ostler, server)
            mine = {"providerID": "mine", "modelID": "m"}
            events = await ostler.events()
            sessions = [await ostler.create(title="First"), await ostler.create(title="Second")]
            for session in sessions:
                await ostler.prompt_async(session, model=mine)
                await events.until(lambda e, of=session: waits(e, of))
            assert len(ostler.model.requests) == 1  # the second did not have to ask
            for session in sessions:
                await ostler.post(f"/session/{session}/abort")


def waits(event: dict[str, Any], session: str) -> bool:
    status = event["properties"].get("status") or {}
    return event["properties"].get("sessionID") == session and status.get("type") == "retry"
