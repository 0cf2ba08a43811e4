"""JSON with comments, merging, and writing back without touching the rest."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostler.config.jsonc import locate, parse
from ostler.config.merge import merge
from ostler.config.write import merged_text, write_keys
from ostler.schema.errors import ConfigJsonError

KEYS = st.text(alphabet='ab"/\\ é', max_size=4)
SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
PLAIN = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers(0, 5),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


@given(VALUES)
def test_every_json_value_is_read(value: Any) -> None:
    assert parse(json.dumps(value), "f") == value
    assert parse(json.dumps(value, indent=2, ensure_ascii=False), "f") == value


@given(OBJECTS, st.sampled_from(["// x\n", "/* } */", " /*\n*/ ", "\t\n"]))
def test_comments_and_trailing_commas_are_passed_over(value: dict[str, Any], comment: str) -> None:
    members = [f"{json.dumps(k)}{comment}:{comment}{json.dumps(v)}" for k, v in value.items()]
    text = comment + "{" + f",{comment}".join([*members, ""] if members else []) + "}" + comment
    assert parse(text, "f") == value


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_named_place(text: str) -> None:
    try:
        parse(text, "some.json")
    except ConfigJsonError as e:
        told = str(e)
    else:
        return
    assert told.startswith("some.json:")


def test_places() -> None:
    places = locate('{\n  "a": [1,\n    {"b": 2}]\n}')
    assert (places[("a",)].line, places[("a",)].column) == (2, 3)
    assert (places[("a", 1, "b")].line, places[("a", 1, "b")].column) == (3, 6)


@given(PLAIN, PLAIN)
def test_the_later_layer_wins_and_neither_is_changed(a: Any, b: Any) -> None:
    before = copy.deepcopy((a, b))
    both = merge(a, b)
    assert merge(both, b) == both
    assert merge(a, {}) == a == merge({}, a)
    assert both.keys() == a.keys() | b.keys()
    assert all(both[k] == v for k, v in b.items() if not isinstance(v, dict))
    assert (a, b) == before


def test_plugins_are_joined_the_last_mention_staying() -> None:
    merged = merge({"plugin": ["a@1", "b"]}, {"plugin": ["a@2", "file:///x.js"]})
    assert merged["plugin"] == ["b", "a@2", "file:///x.js"]


@given(OBJECTS, OBJECTS)
@example({"": None}, {"": {"": None}})
def test_writing_keys_gives_the_merged_document(before: Any, changes: Any) -> None:
    def merged(base: Any, over: Any) -> Any:
        result = dict(base)
        for key, value in over.items():
            if value is None:
                result.pop(key, None)
            elif isinstance(value, dict) and value and isinstance(result.get(key), dict):
                result[key] = merged(result[key], value)
            elif isinstance(value, dict) and value:
                result[key] = merged({}, value)
            else:
                result[key] = value
        return result

    written = parse(merged_text(json.dumps(before, indent=2), changes), "f")
    assert _without_empty(written) == _without_empty(merged(before, changes))


def _without_empty(value: Any) -> Any:
    """Objects that came to be empty are as good as absent."""
    if isinstance(value, dict):
        kept = {k: _without_empty(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if v != {}}
    return value


def test_comments_stay_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "opencode.jsonc"
    path.write_text('{\n  // the good one\n  "model": "a/b", // why\n  "x": {"y": 1}\n}\n')
    os.chmod(path, 0o600)
    write_keys(str(path), {"model": "c/d", "x": {"z": 2}, "new": True})
    text = path.read_text()
    assert "// the good one" in text
    assert "// why" in text
    assert parse(text, "f") == {"model": "c/d", "x": {"y": 1, "z": 2}, "new": True}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_with_a_mistake_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text('{"model": ')
    with pytest.raises(ConfigJsonError):
        write_keys(str(path), {"model": "a/b"})
    assert path.read_text() == '{"model": '
    assert [p.name for p in tmp_path.iterdir()] == ["opencode.json"]
