"""The control plane over HTTP: what a program and a page can do with runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ostler.control.dashboard import Dashboard
from ostler.server.access import Access
from tests.support.flows import Flows, flowing, stage
from tests.support.model_server import Script, text, tool
from tests.support.product import Ostler, serving

ASKING = {"permission": {"bash": "ask"}}
URL = "http://127.0.0.1"


@asynccontextmanager
async def shown(
    tmp_path: Path, script: Script = (), access: Access | None = None, **options: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Flows, Ostler]]:
    async with serving(tmp_path, script, titles=False, **options) as ostler:
        url = str(ostler.http.base_url)
        async with flowing(tmp_path, str(ostler.root), url, concurrency=2) as flows:
            app: Any = Dashboard(flows.plane, access or Access())
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url=URL) as http:
                yield http, flows, ostler


def order(flows: Flows, **more: Any) -> dict[str, Any]:
    flow = {"name": "test", "stages": {"one": stage()}, "asks": {"questions": "reject"}}
    body = {"flow": flow, "servers": [flows.url], "directory": flows.directory, "attended": True}
    return {**body, **more}


async def until(http: httpx.AsyncClient, run_id: str, *statuses: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            found: dict[str, Any] = (await http.get(f"/runs/{run_id}")).json()
            if found["status"] in statuses:
                return found
            await asyncio.sleep(0.02)


async def test_a_run_is_begun_and_seen(tmp_path: Path) -> None:
    async with shown(tmp_path, [text("done <b>")]) as (http, flows, _):
        assert "There are none yet" in (await http.get("/")).text
        begun = await http.post("/runs", json=order(flows, tenant="acme"))
        assert begun.status_code == 201, begun.text
        run = await until(http, begun.json()["id"], "passed")
        assert (run["tenant"], run["attempts"][0]["text"]) == ("acme", "done <b>")
        assert [r["id"] for r in (await http.get("/runs")).json()] == [run["id"]]
        assert f"/view/{run['id']}" in (await http.get("/")).text
        page = (await http.get(f"/view/{run['id']}")).text
        assert "done &lt;b&gt;" in page
        assert "Fork from there" in page
        assert 'http-equiv="refresh"' not in page


async def test_what_is_asked_is_answered_on_the_page(tmp_path: Path) -> None:
    script = [tool("bash", command="touch made"), text("done")]
    async with shown(tmp_path, script, config=ASKING) as (http, flows, ostler):
        run_id = (await http.post("/runs", json=order(flows))).json()["id"]
        async with asyncio.timeout(20):
            while "waits for you" not in (await http.get("/")).text:
                await asyncio.sleep(0.02)
        page = (await http.get(f"/view/{run_id}")).text
        assert "<code>touch made</code>" in page
        wrong = await http.post(f"/runs/{run_id}/answer", json={"reply": "perhaps"})
        assert (wrong.status_code, "once, always or reject" in wrong.text) == (409, True)
        answered = await http.post(f"/runs/{run_id}/answer", data={"reply": "once"})
        assert (answered.status_code, answered.headers["location"]) == (303, f"/view/{run_id}")
        await until(http, run_id, "passed")
        assert (ostler.root / "made").exists()
        late = await http.post(f"/runs/{run_id}/answer", json={"reply": "once"})
        assert (late.status_code, "waits for nobody" in late.text) == (409, True)


async def test_a_run_is_cancelled_retried_and_forked(tmp_path: Path) -> None:
    script = [tool("bash", command="touch made"), text("one"), text("two"), text("three")]
    async with shown(tmp_path, script, config=ASKING) as (http, flows, ostler):
        run_id = (await http.post("/runs", json=order(flows))).json()["id"]
        await ostler.model.wait_for_requests(1)
        assert (await http.post(f"/runs/{run_id}/cancel")).status_code == 200
        over = await flows.over(flows.plane.store.run(run_id))
        assert over.status == "cancelled"
        again = await http.post(f"/runs/{run_id}/retry", json={})
        assert again.status_code == 200, again.text
        await until(http, run_id, "passed")
        forked = await http.post(f"/runs/{run_id}/fork", json={"stage": "one"})
        assert forked.status_code == 201, forked.text
        fresh = await until(http, forked.json()["id"], "passed")
        assert fresh["forked"] == run_id
        wrong = await http.post(f"/runs/{run_id}/fork", json={"stage": "two"})
        assert (wrong.status_code, "its stages are one" in wrong.text) == (409, True)


@pytest.mark.parametrize(
    ("method", "path", "change", "status", "said"),
    [
        ("GET", "/runs/run-none", None, 404, "No run is called run-none"),
        ("GET", "/none", None, 404, "no such route"),
        ("POST", "/runs", {"flow": {"name": "x"}}, 400, "stages"),
        ("POST", "/runs", {"inputs": {"who": 1}}, 400, "no such input"),
        ("POST", "/runs", {"attended": False}, 400, "doom_loop"),
        ("POST", "/runs", {"servers": ["http://127.0.0.1:1"]}, 502, "cannot be reached"),
        ("POST", "/runs", {"servers": []}, 409, "names no server"),
        ("POST", "/runs", {"runs": 1}, 400, "unknown field `runs`"),
    ],
)
async def test_mistakes(
    tmp_path: Path, method: str, path: str, change: dict[str, Any] | None, status: int, said: str
) -> None:
    async with shown(tmp_path) as (http, flows, _):
        body = None if change is None else order(flows, **change)
        answer = await http.request(method, path, json=body)
        assert (answer.status_code, said in answer.json()["data"]["message"]) == (status, True), (
            answer.text
        )
        assert flows.plane.store.runs() == []


async def test_who_may_look(tmp_path: Path) -> None:
    async with shown(tmp_path, access=Access(password="secret")) as (http, _, _):
        assert (await http.get("/")).status_code == 401
        assert (await http.get("/", auth=("opencode", "secret"))).status_code == 200
        foreign = {"origin": "http://evil.example"}
        answer = await http.post("/runs", headers=foreign, auth=("opencode", "secret"))
        assert answer.status_code == 403
