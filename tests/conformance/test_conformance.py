"""Every scenario goes as it went with the original, but for what ``conformance/differences.json``
lists and ``conformance/DIFFERENCES.md`` explains."""

import json
from typing import Any

import pytest
from conformance.__main__ import HERE, compare, differences, scenarios, transcript_of
from conformance.normal import Normal, events

NAMES = [scenario["name"] for scenario in scenarios()]


@pytest.mark.parametrize("scenario", scenarios(), ids=NAMES)
async def test_scenario(scenario: dict[str, Any]) -> None:
    found = await differences(scenario)
    told = "\n".join(f"{where}\n  original {t!r}\n  ostler   {o!r}" for where, t, o in found)
    assert not found, told[:5000]


def test_every_scenario_is_recorded_and_every_listed_difference_is_explained() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(transcript_of(name).exists() for name in NAMES)
    listed = json.loads((HERE / "differences.json").read_text())
    assert set(listed) <= {"*", *NAMES}
    explained = (HERE / "DIFFERENCES.md").read_text()
    for patterns in listed.values():
        for pattern in patterns:
            assert f"`{pattern}`" in explained, pattern


def test_names_of_a_transcript() -> None:
    normal = Normal({"/home/a": "<root>"})
    one, two = "ses_0123456789ab", "ses_ba9876543210"
    value = {"z": one, "a": two, "path": "/home/a/x", "created": 1_795_000_000_000, "slug": "x"}
    assert normal.value(value) == {
        "a": "<ses 1>",
        "created": "<time>",
        "path": "<root>/x",
        "z": "<ses 2>",
    }
    assert normal.answer(404, {"name": "N", "data": {"message": "words", "kind": "k"}}) == {
        "status": 404,
        "body": {"name": "N", "data": {"kind": "k"}},
    }


def test_what_is_compared() -> None:
    assert compare({"a": [1, 2]}, {"a": [1, 2]}) == []
    assert compare({"a": [1, 2], "b": 1}, {"a": [1, 3, 4]}) == [
        ("/a/1", 2, 3),
        ("/a/2", "<absent>", 4),
        ("/b", 1, "<absent>"),
    ]
    part = {"type": "message.part.updated", "properties": {"part": {"type": "text"}}}
    assert events([part, part, {"type": "message.updated", "properties": {}}]) == ["part text"]
