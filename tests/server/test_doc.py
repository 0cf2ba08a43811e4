"""``GET /doc``: the same operations, parameters and type names as OpenCode's document, so that
generated clients are the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.contract import document
from tests.support.product import serving

OUR_PATHS = {"/doc", "/schema/opencode.json", "/share/{sessionID}/{secret}"}
OURS = {"EventPermissionUpdated", "EventQuestionUpdated", "EventServerGap", "EventServerHeartbeat"}


@pytest.fixture
async def ours(tmp_path: Path) -> dict[str, Any]:
    async with serving(tmp_path) as ostler:
        return dict(await ostler.get("/doc"))


async def test_operations_have_their_ids_and_parameters(ours: dict[str, Any]) -> None:
    theirs = document()["paths"]
    assert set(ours["paths"]) - set(theirs) == OUR_PATHS
    for path, operations in ours["paths"].items():
        for method, operation in operations.items():
            if path in OUR_PATHS:
                continue
            known = theirs[path][method]
            assert operation["operationId"] == known["operationId"]
            assert _parameters(operation) == _parameters(known), (method, path)
            assert ("requestBody" in operation) == ("requestBody" in known), (method, path)


LEFT_OUT = "/api/"  # of the newer API there is what the terminal UI reads


async def test_every_operation_is_there(ours: dict[str, Any]) -> None:
    theirs = document()["paths"]
    wanted = {
        (method, path)
        for path, operations in theirs.items()
        for method in operations
        if not path.startswith(LEFT_OUT)
    }
    have = {(method, path) for path, found in ours["paths"].items() for method in found}
    sockets = {("get", "/pty/{ptyID}/connect")}  # a websocket, which OpenAPI has no words for
    assert wanted - have - sockets == set()


def _parameters(operation: dict[str, Any]) -> set[tuple[str, str, bool]]:
    return {(p["name"], p["in"], p.get("required", False)) for p in operation.get("parameters", ())}


async def test_types_have_their_names(ours: dict[str, Any]) -> None:
    names = set(ours["components"]["schemas"])
    assert names - set(document()["components"]["schemas"]) <= {*OURS, "Forbidden"}
    assert {"Session", "Message", "Part", "ToolPart", "Config", "Event", "Provider"} <= names
    used = set(re.findall(r"#/components/schemas/([^\"]+)\"", json.dumps(ours)))
    assert used <= names


@pytest.mark.parametrize("name", ["Session", "UserMessage", "AssistantMessage", "ToolPart", "Pty"])
async def test_a_type_has_the_fields_of_the_original(ours: dict[str, Any], name: str) -> None:
    theirs = document()["components"]["schemas"][name]
    mine = ours["components"]["schemas"][name]
    assert set(theirs["properties"]) <= set(mine["properties"])
    assert set(mine["required"]) <= set(theirs["properties"])
    assert set(theirs["required"]) == set(mine["required"])
