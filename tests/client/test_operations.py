"""The methods are the API document's operations: all of them, with all their parameters."""

import inspect
import keyword
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ostler.client import AsyncClient, Client
from tests.support.contract import document

ROOT = Path(__file__).parents[2]
LOCATION = {"directory", "workspace", "location", "location[directory]", "location[workspace]"}
OPERATIONS = {
    operation["operationId"]: (verb.upper(), path, operation)
    for path, verbs in document()["paths"].items()
    for verb, operation in verbs.items()
}


def method_of(client: Any, operation_id: str) -> Any:
    """``session.deleteMessage`` -> ``client.session.delete_message``."""
    *groups, name = operation_id.split(".")
    if ".".join(groups) in OPERATIONS:  # vcs.diff.raw, where vcs.diff is one as well
        name = f"{groups.pop()}_{name}"
    found = client
    for word in (*groups, name):
        word = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", word).lower()
        found = getattr(found, f"{word}_" if keyword.iskeyword(word) else word)
    return found


@pytest.mark.parametrize("client", [AsyncClient(), Client()], ids=["async", "blocking"])
@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_operation_is_a_method_with_its_parameters(client: Any, operation_id: str) -> None:
    verb, path, operation = OPERATIONS[operation_id]
    method = method_of(client, operation_id)
    assert f"``{verb} {path.replace('*', '{path}')}``" in method.__doc__
    parameters = inspect.signature(method).parameters
    for name, required in _wanted(operation).items():
        found = parameters.get(name) or parameters["body"]
        assert (found.default is inspect.Parameter.empty) >= required, name


def _wanted(operation: dict[str, Any]) -> dict[str, bool]:
    """Parameters and fields of the body, and whether each must be given."""
    wanted = {
        p["name"]: p.get("required", False)
        for p in operation.get("parameters", ())
        if p["name"] not in LOCATION
    }
    content = operation.get("requestBody", {}).get("content", {})
    for media in content.values():
        schema = media["schema"]
        while "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = document()["components"]["schemas"][name]
        required = schema.get("required", ())
        wanted.update({name: name in required for name in schema.get("properties", {})})
    return wanted


def test_both_clients_have_the_same_methods() -> None:
    for operation_id in OPERATIONS:
        one = inspect.signature(method_of(AsyncClient(), operation_id)).parameters
        other = inspect.signature(method_of(Client(), operation_id)).parameters
        assert list(one.values()) == list(other.values()), operation_id


def test_the_generated_files_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.generate_client", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_it_imports_neither_httpx_nor_asyncio() -> None:
    code = (
        "import sys, ostler.client; print('asyncio' in sys.modules, 'msgspec' in sys.modules);"
        "from ostler.client import AsyncClient; AsyncClient(); print('httpx' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "False False\nFalse\n", done.stderr
