"""OpenCode's API document as a judge: every answer a test gets over HTTP, and every event, must
have the shape that clients written for OpenCode expect.

``tests/data/opencode-api-1.18.33.json`` is the document the original serves, without its prose.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

DOCUMENT = Path(__file__).parents[1] / "data/opencode-api-1.18.33.json"

OURS = frozenset(["budget", "children", "disk", "fallback", "unattended"])
"""Fields that Ostler adds to records; clients ignore what they do not know."""
OUR_ERRORS = frozenset(["BudgetExceededError", "DiskFullError"])
"""Of messages; clients show what they say."""
OUR_EVENTS = frozenset(["server.gap", "permission.updated", "question.updated"])
"""The latter two are what OpenCode before 1.1 said, and bots still listen for."""
OUR_STATUSES = frozenset([400, 401, 403, 404, 413, 415, 500, 503, 507])
"""Answers of a server as such, which the document does not speak of route by route."""


@cache
def document() -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return decoded


@cache
def _routes() -> list[tuple["re.Pattern[str]", str]]:
    """Patterns of the document's paths, those with fewest names first."""
    paths = sorted(document()["paths"], key=lambda p: p.count("{"))
    return [(re.compile(re.sub(r"\\{[^/]+\\}", "[^/]+", re.escape(p)) + "$"), p) for p in paths]


@cache
def _validator(schema: str) -> Any:
    """``schema`` is JSON, to be a key of the cache."""
    components = {"components": document()["components"]}
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), **components})


async def check_response(response: httpx.Response) -> None:
    """A hook for httpx. Raises AssertionError."""
    kind = response.headers.get("content-type", "")
    if "json" not in kind:
        return
    await response.aread()
    request = response.request
    path = next((p for pattern, p in _routes() if pattern.match(request.url.path)), None)
    operation = document()["paths"].get(path, {}).get(request.method.lower())
    if operation is None or path == "/doc":
        return  # no such route there: ours to word
    what = f"{request.method} {path} {response.status_code}"
    declared = operation["responses"].get(str(response.status_code))
    if declared is None:
        assert response.status_code in OUR_STATUSES, what
        return
    schema = declared.get("content", {}).get("application/json", {}).get("schema")
    body = response.json()
    if schema is None or _is_observed(request, response.status_code, body):
        return
    _check(schema, body, what)


def _is_observed(request: httpx.Request, status: int, body: Any) -> bool:
    """Whether the answer is as the original really gives it, where its document says otherwise."""
    if status == 400:  # {name, data: {message, …}}, not the document's tagged dialect
        data = body.get("data", {})
        return bool(body.get("name")) and isinstance(data.get("message"), str)
    if request.url.path.endswith("/oauth/authorize") and body is None:
        return True  # a way that ends in a key
    # A prompt with noReply is answered with itself.
    return (
        request.method == "POST"
        and request.url.path.endswith("/message")
        and status == 200
        and body["info"]["role"] == "user"
    )


def check_event(event: dict[str, Any]) -> None:
    """Raises AssertionError."""
    if event["type"] not in OUR_EVENTS:
        _check(_event_schemas()[event["type"]], event, f"event {event['type']}")


@cache
def _event_schemas() -> dict[str, Any]:
    """The schema of each event by type: of the union only the member that is meant complains."""
    found = {}
    for option in document()["components"]["schemas"]["Event"]["anyOf"]:
        schema = document()["components"]["schemas"][option["$ref"].rpartition("/")[2]]
        for kind in schema["properties"]["type"]["enum"]:
            found[kind] = schema
    return found


def _check(schema: dict[str, Any], value: Any, what: str) -> None:
    errors = list(_validator(json.dumps(schema)).iter_errors(_without_ours(value)))
    told = "\n".join(f"  {'/'.join(map(str, e.instance_path))}: {e.message}" for e in errors[:5])
    assert not errors, f"{what} is not what OpenCode's document says:\n{told[:3000]}"


def _without_ours(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_ours(v) for v in value]
    if isinstance(value, dict):
        if isinstance(name := value.get("name"), str) and name in OUR_ERRORS:
            return {"name": "UnknownError", "data": {"message": value["data"]["message"]}}
        return {k: _without_ours(v) for k, v in value.items() if k not in OURS}
    return value
