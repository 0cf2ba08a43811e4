"""Front matter: what is told apart, read, repaired and refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.config.front_matter import FrontMatterError, places, read
from ostler.config.markdown import read_entry

KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.text(max_size=40))
def test_json_is_front_matter_too(fields: dict[str, Any], body: str) -> None:
    entry = read_entry(f"---\n{json.dumps(fields, ensure_ascii=False)}\n---\n{body}")
    assert entry.fields == fields
    assert entry.text == body.removeprefix("\r").removeprefix("\n") or entry.text == body


@given(st.text(max_size=80))
def test_any_text_is_an_entry_or_refused(text: str) -> None:
    try:
        entry = read_entry(text)
    except FrontMatterError:
        return
    assert entry.text in text


@given(st.text(max_size=60))
def test_any_front_matter_is_fields_or_refused(text: str) -> None:
    try:
        fields = read(text)
    except FrontMatterError:
        return
    assert all(isinstance(key, str) for key in fields)
    places(text, 0)


@pytest.mark.parametrize(
    ("front", "fields"),
    [
        ("a: yes\nb: off\nc: True", {"a": "yes", "b": "off", "c": True}),
        ("a: 3e-1\nb: 5.0\nc: 1_000\nd: 010", {"a": 0.3, "b": 5, "c": 1000, "d": 8}),
        ("a: 2025-12-04", {"a": "2025-12-04T00:00:00.000Z"}),
        ("a: 2025-12-04 10:00:00.5 +02:00", {"a": "2025-12-04T08:00:00.500Z"}),
        ("a: {1: x, true: y, null: z}", {"a": {"1": "x", "true": "y", "null": "z"}}),
        ("b: &b {x: 1, y: 2}\na: {<<: *b, y: 3}", {"b": {"x": 1, "y": 2}, "a": {"x": 1, "y": 3}}),
        ("# nothing", {}),
    ],
)
def test_values(front: str, fields: dict[str, Any]) -> None:
    assert read(front) == fields


def test_a_key_twice_is_refused() -> None:
    with pytest.raises(FrontMatterError, match="twice"):
        read("a: 1\na: 2")


def test_a_plain_colon_is_forgiven() -> None:
    entry = read_entry("---\ndescription: Use it: now\nmode: subagent\n---\nBody.\n")
    assert entry.fields == {"description": "Use it: now", "mode": "subagent"}
    assert (entry.text, entry.body) == ("Body.\n", "Body.")


def test_what_cannot_be_repaired_is_text_and_says_so() -> None:
    text = "---\ndescription: d\nhint: [a] [b]\n---\nBody.\n"
    entry = read_entry(text)
    assert (entry.fields, entry.text) == ({}, text)
    assert entry.problem


def test_where_keys_stand() -> None:
    entry = read_entry("---\na: 1\nb:\n  c: 2\n---\n")
    assert {k: v.line for k, v in entry.places().items()} == {("a",): 2, ("b",): 3, ("b", "c"): 4}


@pytest.mark.parametrize("deep", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_what_is_nested_too_deep_is_refused(deep: str) -> None:
    with pytest.raises(FrontMatterError, match="nested more than 100 deep"):
        read(f"a:\n  {deep}")
    assert places(f"a:\n  {deep}", 0) == {}
