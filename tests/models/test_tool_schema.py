"""JSON Schemas of tools as providers accept them."""

from typing import Any

import pytest
from google.genai import types
from hypothesis import example, given
from hypothesis import strategies as st

from ostler.models.tool_schema import for_gemini, for_moonshot, for_openai


def parameters(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"enum": [1, 2]}, {"type": "string", "enum": ["1", "2"]}),
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "string", "default": "x", "$comment": "c"}, {"type": "string"}),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "d"},
            {"type": "string", "nullable": True, "description": "d"},
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        ),
        (
            {"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a", "b"]}]},
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        ),
        (
            {"type": "object", "properties": {}, "additionalProperties": False},
            {"type": "object", "properties": {}},
        ),
    ],
)
def test_what_gemini_is_told(given: dict[str, Any], expected: dict[str, Any]) -> None:
    converted = for_gemini(parameters(x=given))
    assert converted == parameters(x=expected)


def test_references_are_followed_and_recursion_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    schema = {**parameters(first={"$ref": "#/$defs/node"}), "$defs": {"node": node}}
    converted = for_gemini(schema)
    assert converted is not None
    assert converted["properties"]["first"]["properties"]["next"]["type"] == "object"
    types.Schema.model_validate(converted)


def test_a_tool_without_parameters_has_none_for_gemini() -> None:
    assert for_gemini({"type": "object", "properties": {}}) is None


_names = st.sampled_from(["a", "b", "c"])
_leaf = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "object", "array", ["string", "null"]]),
        "enum": st.lists(st.one_of(st.integers(), st.text(), st.none()), min_size=1, max_size=3),
        "const": st.one_of(st.integers(), st.text()),
        "description": st.text(),
        "$ref": st.sampled_from(["#/$defs/a", "#", "#/nothing"]),
        "format": st.just("date"),
        "additionalProperties": st.booleans(),
    },
)
_schema = st.recursive(
    _leaf,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array"]),
            "properties": st.dictionaries(_names, inner, max_size=3),
            "required": st.lists(_names, max_size=3),
            "items": st.one_of(inner, st.lists(inner, max_size=2)),
            "anyOf": st.lists(inner, max_size=2),
            "oneOf": st.lists(inner, max_size=2),
            "allOf": st.lists(inner, max_size=2),
        },
    ),
    max_leaves=5,
)


EMPTY_CHOICE = {"type": "object", "properties": {"a": {"enum": [None]}}, "allOf": [], "anyOf": []}


@example({"a": EMPTY_CHOICE}, {})
@given(st.dictionaries(_names, _schema, min_size=1, max_size=3), st.dictionaries(_names, _schema))
def test_any_schema_becomes_one_of_googles(
    properties: dict[str, Any], defs: dict[str, Any]
) -> None:
    schema = {**parameters(**properties), "$defs": defs}
    converted = for_gemini(schema)
    if converted is not None:
        types.Schema.model_validate(converted)


def test_openai_has_no_alternatives_at_the_top() -> None:
    plain = parameters(a={"type": "string"})
    assert for_openai(plain) is plain
    one = {"properties": {"b": {"type": "string"}}, "required": ["b"]}
    adapted = for_openai({"anyOf": [plain, one]})
    assert adapted == parameters(a={"type": "string"}, b={"type": "string"})
    assert for_openai({"allOf": [one], "type": "object"})["required"] == ["b"]


def test_moonshot_takes_a_reference_alone() -> None:
    schema = parameters(
        a={"$ref": "#/$defs/x", "description": "d"}, b={"type": "array", "items": [{"type": "a"}]}
    )
    adapted = for_moonshot(schema)
    assert adapted["properties"]["a"] == {"$ref": "#/$defs/x"}
    assert adapted["properties"]["b"]["items"] == {"type": "a"}
