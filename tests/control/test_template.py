"""Prompts as templates: what they write, and how they fail."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.control.template import (
    Artifact,
    Reference,
    TemplateError,
    names_in,
    render,
    render_list,
)

INPUTS = {"topic": "parsers", "n": 3, "on": True, "items": ["x", "y"]}
ARTIFACTS = {
    "plan": Artifact(summary="short", text="long", value={"items": [{"name": "a"}], "none": None}),
    "two-words": {"summary": "s", "text": "t", "value": [1]},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("About {{ inputs.topic }}.", "About parsers."),
        ("{{ inputs.n }} {{ inputs.on }}", "3 true"),
        ("{{ artifacts.plan.summary }} {{ artifacts.plan.text }}", "short long"),
        ("{{ artifacts.plan.value }}", '{"items": [{"name": "a"}], "none": null}'),
        ("{{ artifacts.plan.value.items[0].name }}", "a"),
        ("{{ artifacts['two-words'].value[0] }}", "1"),
        ("{{ inputs.items | map('upper') }}", '["X", "Y"]'),
        ("{{ inputs.items | tojson(indent=1) }}", '[\n "x",\n "y"\n]'),
        ("{% for k, v in artifacts.plan.value.none or {'a': 1} | items %}{{ k }}{% endfor %}", "a"),
        ("{% for i in inputs.items %}\n- {{ i }}\n{% endfor %}\nend", "- x\n- y\nend"),
        ("{% if inputs.x is defined %}x{% else %}no x{% endif %}", "no x"),
        ("<b>&amp;{{ '<script>' }}", "<b>&amp;<script>"),
        ("{{ item.file }}", "a.py"),
    ],
)
def test_values_are_written_as_text_or_json(template: str, expected: str) -> None:
    assert render(template, INPUTS, ARTIFACTS, {"file": "a.py"}) == expected


@pytest.mark.parametrize(
    ("template", "line", "reason"),
    [
        ("a\n{{ inputs.topc }}", 2, "'dict object' has no attribute 'topc'"),
        ("a\n\n{{ item }}", 3, "'item' is undefined"),
        ("{{ artifacts.plan.value.x.y }}", 1, "'dict object' has no attribute 'x'"),
        ("a\n{{ 1 / 0 }}", 2, "ZeroDivisionError: division by zero"),
        ("a\n{{ inputs", 2, "unexpected end of template"),
        ("{{ inputs.__class__ }}", 1, "access to attribute '__class__'"),
        ("{{ inputs.pop('n') }}", 1, "access to attribute 'pop'"),
        ("\n{{ inputs.keys }}", 2, "TypeError"),
        ("{% for i in range(10000000) %}{% endfor %}", 1, "OverflowError: Range too big"),
    ],
)
def test_what_fails_is_named_with_stage_and_line(template: str, line: int, reason: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(template, INPUTS, ARTIFACTS, stage="fix")
    assert reason in caught.value.reason
    assert str(caught.value).startswith(f'template of stage "fix", line {line}: ')


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("items", ["x", "y"]),
        ("{{ artifacts.plan.value.items }}", [{"name": "a"}]),
        ("{{ inputs.items[:1] }}", ["x"]),
    ],
)
def test_a_list_to_work_through(source: str, expected: list[Any]) -> None:
    assert render_list(source, INPUTS, ARTIFACTS) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("nothing", 'for_each: there is no input "nothing"'),
        ("n", "for_each is no list: 3"),
        ("{{ inputs.topic }}", "for_each is no JSON list: 'parsers'"),
        ("{{ inputs.on }}", "for_each is no list: true"),
    ],
)
def test_what_is_no_list(source: str, reason: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render_list(source, INPUTS, ARTIFACTS, stage="fix")
    assert str(caught.value) == f'template of stage "fix": {reason}'


def test_names_from_outside_with_their_lines() -> None:
    template = (
        "{{ inputs.a }}\n"
        "{% for x in artifacts.plan.value['files'] %}{{ x.name }} {{ loop.index }}{% endfor %}\n"
        "{{ artifacts[inputs.b].text }} {% set y = 1 %}{{ y }} {{ range(3) }}\n"
        "{{ item }}{{ item }}"
    )
    assert names_in(template) == [
        Reference(("inputs", "a"), 1),
        Reference(("artifacts", "plan", "value", "files"), 2),
        Reference(("artifacts",), 3),
        Reference(("inputs", "b"), 3),
        Reference(("item",), 4),
    ]


VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(VALUES)
def test_every_value_comes_out_whole(value: Any) -> None:
    written = render("{{ inputs.x }}", {"x": value}, {})
    assert written == value if isinstance(value, str) else json.loads(written) == value


@given(st.text(max_size=30))
def test_a_text_that_is_a_value_is_never_a_template(text: str) -> None:
    value = "{{ inputs.y }}" + text
    assert render("{{ inputs.x }}", {"x": value}, {}) == value


@given(st.text("{}%# ab.|\n'", max_size=20))
def test_a_template_renders_or_says_why_not(template: str) -> None:
    with suppress(TemplateError):
        names_in(template)
        render(template, INPUTS, ARTIFACTS)
