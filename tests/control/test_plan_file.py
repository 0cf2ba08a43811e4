"""Flow files: what they say comes back, and each mistake is named with its line."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ostler.control.plan import AskRule, Asks, Check, Input, Limits, Plan, Stage
from ostler.control.plan_file import (
    PlanError,
    plan_of,
    problems,
    read_plan,
    resolve_inputs,
    write_schema,
)

HEAD = "name: demo\nstages:\n"
"""Two lines: what follows begins on line 3."""
ONE = HEAD + "  a: {prompt: go}\n"

BAD: dict[str, tuple[str, list[str]]] = {
    "unknown key": (
        ONE + "modle: x/y\n",
        ['4:1: modle: unknown key "modle"; did you mean "model"?'],
    ),
    "unknown key far from any": (ONE + "zzz: 1\n", ['4:1: zzz: unknown key "zzz"']),
    "unknown key of a check": (
        HEAD + "  a:\n    prompt: go\n    checks:\n      - run: make\n        timout: 3\n",
        ['7:9: stages.a.checks[0].timout: unknown key "timout"; did you mean "timeout"?'],
    ),
    "several at once": (
        HEAD + "  a: {prompt: go, needs: [b], timeout: 0, best_of: two}\nplaybook: {tiemout: {}}\n",
        [
            '3:27: stages.a.needs[0]: there is no stage "b"',
            "3:31: stages.a.timeout: expected a number above 0, got 0",
            "3:43: stages.a.best_of: expected a whole number, got a text",
            '4:12: playbook.tiemout: there is no failure "tiemout"; did you mean "timeout"?',
        ],
    ),
    "wrong type": (
        HEAD + "  a:\n    prompt: [go]\n",
        ["4:5: stages.a.prompt: expected a text, got a list"],
    ),
    "wrong type of an optional": (
        HEAD + "  a:\n    prompt: go\n    contract: 3\n",
        ["5:5: stages.a.contract: expected a mapping, got a whole number"],
    ),
    "a stage that is no mapping": (
        HEAD + "  a: 3\n  b: {prompt: '{{ artifacts.a.text }}', needs: [a]}\n",
        ["3:3: stages.a: expected a mapping, got a whole number"],
    ),
    "words for true": (
        HEAD + "  a: {prompt: go, worktree: yes}\n",
        ["3:19: stages.a.worktree: expected true or false, got a text"],
    ),
    "a choice": (
        ONE + "asks: {default: maybe}\n",
        ["4:8: asks.default: expected one of once, always, reject, got 'maybe'"],
    ),
    "missing prompt": (HEAD + "  a: {model: x/y}\n", ["3:3: stages.a.prompt: is missing"]),
    "missing reply": (
        ONE + "asks:\n  permissions:\n    - permission: bash\n",
        ["6:7: asks.permissions[0].reply: is missing"],
    ),
    "empty prompt": (HEAD + "  a: {prompt: ' '}\n", ["3:7: stages.a.prompt: is empty"]),
    "empty check": (
        HEAD + "  a: {prompt: go, checks: [run: '']}\n",
        ["3:28: stages.a.checks[0].run: is empty"],
    ),
    "no stages": ("name: demo\nstages: {}\n", ["2:1: stages: a plan has at least one stage"]),
    "no name": ("stages: {a: {prompt: go}}\n", ["1:1: name: is missing"]),
    "empty": ("", ["1:1: the file is empty"]),
    "a list": ("- a\n", ["1:1: expected a mapping with name and stages"]),
    "need nobody knows": (
        HEAD + "  plan: {prompt: go}\n  fix:\n    prompt: go\n    needs:\n      - plna\n",
        ['7:9: stages.fix.needs[0]: there is no stage "plna"; did you mean "plan"?'],
    ),
    "need twice": (
        HEAD + "  a: {prompt: go}\n  b: {prompt: go, needs: [a, a]}\n",
        ['4:30: stages.b.needs[1]: "a" is there twice'],
    ),
    "cycle of two": (
        HEAD + "  a: {prompt: go, needs: [b]}\n  b: {prompt: go, needs: [a]}\n",
        ["3:19: stages.a.needs: stages that wait for each other: a -> b -> a"],
    ),
    "cycle of itself": (
        HEAD + "  a: {prompt: go, needs: [a]}\n",
        ["3:19: stages.a.needs: stages that wait for each other: a -> a"],
    ),
    "stage name": (
        HEAD + "  Fix It: {prompt: go}\n",
        [
            '3:3: stages.Fix It: "Fix It" is no name of a stage; '
            "a small letter, then small letters, digits, - and _"
        ],
    ),
    "input name": (
        ONE + "inputs: {1st: }\n",
        ['4:10: inputs.1st: "1st" is no name of an input; a letter, then letters, digits, - and _'],
    ),
    "the same key twice": (
        HEAD + "  a:\n    prompt: go\n    prompt: stay\n",
        ['5:5: stages.a.prompt: the key "prompt" is there twice'],
    ),
    "not YAML": (
        "name: demo\nstages: {a: {prompt: go}\n",
        ["3:1: not YAML: while parsing a flow mapping: did not find expected ',' or '}'"],
    ),
    "two documents": (
        ONE + "---\nname: other\n",
        ["4:1: not YAML: expected a single document in the stream: but found another document"],
    ),
    "a tag": (
        HEAD + "  a: {prompt: !secret go}\n",
        [
            "3:7: stages.a.prompt: expected a text, got nothing",
            "3:15: stages.a.prompt: the tag !secret means nothing here",
        ],
    ),
    "an alias of itself": (
        "name: demo\nstages: &s {a: {prompt: go}, b: *s}\n",
        [
            "2:9: stages.b: an alias of what it stands in",
            "2:30: stages.b: expected a mapping, got nothing",
        ],
    ),
    "negative limits": (
        HEAD + "  a: {prompt: go, attempt_budget: {seconds: -1}}\nbudget: {tokens: 0, cost: -.5}\n",
        [
            "3:36: stages.a.attempt_budget.seconds: expected a number above 0, got -1",
            "4:10: budget.tokens: expected a whole number >= 1",
            "4:21: budget.cost: expected a number of 0 or more, got -0.5",
        ],
    ),
    "no number": (
        HEAD + "  a: {prompt: go, timeout: .nan}\n",
        ["3:19: stages.a.timeout: expected a number above 0, got nan"],
    ),
    "model without provider": (
        HEAD + "  a: {prompt: go, model: gpt, fallback: [a/b, /c]}\n",
        [
            '3:19: stages.a.model: "gpt" is no model; write "provider/model"',
            '3:47: stages.a.fallback[1]: "/c" is no model; write "provider/model"',
        ],
    ),
    "reviewer without model": (
        ONE + "asks:\n  questions: reviewer\n",
        ["5:3: asks.questions: there is no reviewer; name a model in asks.reviewer"],
    ),
    "server": (
        ONE + "servers: ['localhost:4096']\n",
        [
            '4:11: servers[0]: "localhost:4096" is no address of a server; '
            'such as "http://127.0.0.1:4096"'
        ],
    ),
    "contract that is no schema": (
        HEAD + "  a:\n    prompt: go\n    contract:\n      type: objekt\n",
        [
            '6:7: stages.a.contract.type: no JSON Schema: "objekt" is not one of '
            "array, boolean, integer, null, number, object, string"
        ],
    ),
    "contract with several mistakes": (
        HEAD + "  a:\n    prompt: go\n    contract:\n      required: a\n      properties: 3\n",
        [
            '6:7: stages.a.contract.required: no JSON Schema: "a" is not of type "array"',
            '7:7: stages.a.contract.properties: no JSON Schema: 3 is not of type "object"',
        ],
    ),
    "contract with a reference to nowhere": (
        HEAD + "  a: {prompt: go, contract: {$ref: '#/$defs/x'}}\n",
        [
            "3:19: stages.a.contract: no JSON Schema: Pointer '/$defs/x' does not exist",
        ],
    ),
    "contract file that is not there": (
        HEAD + "  a: {prompt: go, contract: no.json}\n",
        ['3:19: stages.a.contract: cannot read "no.json": No such file or directory'],
    ),
    "template that does not parse": (
        HEAD + "  a:\n    prompt: |\n      One\n      {% if x %}\n      {% endfor %}\n",
        [
            "7:1: stages.a.prompt: Encountered unknown tag 'endfor'. Jinja was looking for the "
            "following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be "
            "closed is 'if'."
        ],
    ),
    "template with an unknown filter": (
        HEAD + "  a: {prompt: '{{ inputs | uper }}'}\n",
        ['3:1: stages.a.prompt: there is no filter "uper"'],
    ),
    "template that includes": (
        HEAD + "  a: {prompt: '{% include \"x\" %}'}\n",
        ["3:1: stages.a.prompt: a template cannot bring in other files"],
    ),
    "template with an unknown name": (
        HEAD + "  a:\n    prompt: |\n      One\n      {{ input.x }}\n",
        ['6:1: stages.a.prompt: there is no "input"; did you mean "inputs"?'],
    ),
    "template with an unknown input": (
        HEAD + "  a: {prompt: '{{ inputs.topc }}'}\ninputs: {topic: {}}\n",
        ['3:1: stages.a.prompt: there is no input "topc"; did you mean "topic"?'],
    ),
    "template with an unknown stage": (
        HEAD + "  plan: {prompt: go}\n  b: {needs: [plan], prompt: '{{ artifacts.pan.text }}'}\n",
        ['4:1: stages.b.prompt: there is no stage "pan"; did you mean "plan"?'],
    ),
    "template with a stage that is not needed": (
        HEAD + "  a: {prompt: go}\n  b: {prompt: '{{ artifacts.a.text }}'}\n",
        ['4:1: stages.b.prompt: "b" does not need "a"; add "a" to its needs'],
    ),
    "template with its own stage": (
        HEAD + "  a: {prompt: '{{ artifacts.a.text }}'}\n",
        ["3:1: stages.a.prompt: a stage has no artifact of its own before it is over"],
    ),
    "template with an unknown field": (
        HEAD + "  a: {prompt: go}\n  b: {needs: [a], prompt: '{{ artifacts.a.sumary }}'}\n",
        ['4:1: stages.b.prompt: an artifact has no "sumary"; did you mean "summary"?'],
    ),
    "template with a value of no contract": (
        HEAD + "  a: {prompt: go}\n  b: {needs: [a], prompt: '{{ artifacts.a.value }}'}\n",
        ['4:1: stages.b.prompt: "a" has no contract, so its artifact has no value; use its text'],
    ),
    "template with what a contract rules out": (
        HEAD
        + "  a: {prompt: go, contract: {additionalProperties: false, properties: {files: {}}}}\n"
        + "  b: {needs: [a], prompt: '{{ artifacts.a.value.flies }}'}\n",
        ['4:1: stages.b.prompt: the contract of "a" has no "flies"; did you mean "files"?'],
    ),
    "template with a hyphen": (
        HEAD + "  a-b: {prompt: go}\n  c: {needs: [a-b], prompt: '{{ artifacts.a-b.text }}'}\n",
        [
            '4:1: stages.c.prompt: there is no stage "a"; '
            'a name with a hyphen is written artifacts["a-b"] or inputs["a-b"]',
            '4:1: stages.c.prompt: there is no "b"; '
            'a name with a hyphen is written artifacts["a-b"] or inputs["a-b"]',
        ],
    ),
    "item of nothing": (
        HEAD + "  a: {prompt: '{{ item }}'}\n",
        ['3:1: stages.a.prompt: "item" is known in the prompt of a stage with for_each'],
    ),
    "for_each of an unknown input": (
        HEAD + "  a: {prompt: '{{ item }}', for_each: fils}\ninputs: {files: {}}\n",
        ['3:29: stages.a.for_each: there is no input "fils"; did you mean "files"?'],
    ),
    "for_each of what is no list": (
        HEAD + "  a: {prompt: '{{ item }}', for_each: files}\ninputs: {files: {default: x}}\n",
        ['3:29: stages.a.for_each: the default of input "files" is no list'],
    ),
    "for_each of a sentence": (
        HEAD + "  a: {prompt: '{{ item }}', for_each: all the files}\n",
        [
            "3:29: stages.a.for_each: is neither the name of an input nor a template; "
            'such as "{{ artifacts.STAGE.value }}"'
        ],
    ),
    "summary of something else": (
        HEAD + "  a:\n    prompt: go\n    summary: '{{ this.text }} {{ artifacts.this.value }}'\n",
        [
            '5:1: stages.a.summary: a summary knows no "this.text"; '
            "it is over artifacts.this.text and artifacts.this.value",
            "5:1: stages.a.summary: the stage has no contract, so there is no value; use its text",
        ],
    ),
    "consequences are not told": (
        HEAD + "  a: {prompt: go}\n  b: {need: [a], prompt: '{{ artifacts.a.text }}'}\n",
        ['4:7: stages.b.need: unknown key "need"; did you mean "needs"?'],
    ),
}


def written(folder: Path, text: str, name: str = "flow.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def mistakes(path: str) -> list[str]:
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert str(caught.value).splitlines() == [str(issue) for issue in caught.value.issues]
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    text, expected = BAD[case]
    assert mistakes(written(tmp_path, text)) == expected


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        read_plan("/nowhere/flow.yaml")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_bytes(b"name: \xff\xfe")
    assert "not UTF-8" in mistakes(str(tmp_path / "flow.yaml"))[0]


def test_aliases_of_aliases_end(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert mistakes(written(tmp_path, "\n".join(lines))) == [
        "1:1: more than 100000 values, aliases included"
    ]


def test_nesting_ends(tmp_path: Path) -> None:
    nested = written(tmp_path, "[" * 100_000)
    assert mistakes(nested) == ["1:101: nested more than 100 deep"]


def test_a_contract_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    written(tmp_path / "schemas", "type: object\nrequired: [files]\n", "plan.yaml")
    written(tmp_path / "schemas", '{"type": "array"}', "list.json")
    plan = read_plan(
        written(
            tmp_path,
            HEAD
            + "  a: {prompt: go, contract: schemas/plan.yaml}\n"
            + "  b: {prompt: go, contract: schemas/list.json}\n",
        )
    )
    assert plan.stages["a"].contract == {"type": "object", "required": ["files"]}
    assert plan.stages["b"].contract == {"type": "array"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "bad.json",
            '{\n\t"minimum": "x"}',
            '2:2: stages.a.contract.minimum: no JSON Schema: "x" is not of type "number"',
        ),
        ("bad.json", '{"a": }', "1:7: stages.a.contract: expected a value, got '}'"),
        (
            "bad.yaml",
            "a: 1\na: 2\n",
            '2:1: stages.a.contract.a: the key "a" is there twice',
        ),
        ("bad.yaml", "[]", "1:1: stages.a.contract: no JSON Schema: expected a mapping"),
    ],
)
def test_a_mistake_in_a_contract_file(tmp_path: Path, name: str, text: str, expected: str) -> None:
    contract = written(tmp_path, text, name)
    flow = written(tmp_path, HEAD + f"  a: {{prompt: go, contract: {name}}}\n")
    with pytest.raises(PlanError) as caught:
        read_plan(flow)
    assert str(caught.value) == f"{contract}:{expected}"


def test_yaml_is_of_the_core_schema(tmp_path: Path) -> None:
    text = (
        "name: on\nstages:\n  a: &a\n    prompt: &p yes\n    timeout: 1e3\n"
        "    system: 2026-01-02\n  b: {<<: *a, prompt: 'again: yes', needs: [a]}\n"
        "inputs:\n  n: {default: 0o17}\n  m: {default: 010}\n  x: {default: ~}\n  y:\n"
    )
    plan = read_plan(written(tmp_path, text))
    assert plan.name == "on"
    assert plan.stages["a"] == Stage(prompt="yes", timeout=1000, system="2026-01-02")
    assert plan.stages["b"].timeout == 1000
    assert [i.default for i in plan.inputs.values()] == [15, 10, None, msgspec.UNSET]


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/flow-files.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    plan = read_plan(written(tmp_path, example))
    assert plan.stages["fix"].checks == [
        Check(run="make test", name="tests", red_to_green=True, repeat=3)
    ]
    jsonschema_rs.validate(json.loads(write_schema()), yaml.safe_load(example))
    documented = set(re.findall(r"`(\w+)`", page))
    for part in (Plan, Stage, Check, Asks, AskRule, Limits, Input):
        assert {f.encode_name for f in msgspec.structs.fields(part)} <= documented


# ── inputs ────────────────────────────────────────────────────────────────────────────────────

WITH_INPUTS = Plan(
    name="demo",
    stages={"a": Stage(prompt="{{ inputs.topic }} {{ item }}", for_each="files")},
    inputs={
        "topic": Input(description="what it is about"),
        "files": Input(),
        "depth": Input(default=2),
        "style": Input(default="plain"),
    },
)


def test_inputs_are_given_or_have_defaults() -> None:
    given = {"topic": "[1]", "files": '["x"]', "depth": "3"}
    assert resolve_inputs(WITH_INPUTS, given) == {
        "topic": "[1]",
        "files": ["x"],
        "depth": 3,
        "style": "plain",
    }


def test_inputs_that_do_not_fit_are_all_named() -> None:
    with pytest.raises(PlanError) as caught:
        resolve_inputs(WITH_INPUTS, {"topc": "x", "files": '"y"', "depth": "deep"})
    assert str(caught.value).splitlines() == [
        'inputs.topc: the plan has no such input; did you mean "topic"?',
        "inputs.topic: is not given; what it is about",
        "inputs.depth: expected JSON: JSON is malformed: invalid character (byte 0)",
        'inputs.files: expected a list: stage "a" is for each of it',
    ]


# ── plans made in Python ──────────────────────────────────────────────────────────────────────


def test_a_dict_says_the_same_as_a_file(tmp_path: Path) -> None:
    raw = {"name": "demo", "stages": {"a": {"prompt": "go", "timeot": 3}}}
    with pytest.raises(PlanError) as caught:
        plan_of(raw)
    assert str(caught.value) == ('stages.a.timeot: unknown key "timeot"; did you mean "timeout"?')
    del raw["stages"]["a"]["timeot"]  # type: ignore[index]
    assert plan_of(raw) == Plan(name="demo", stages={"a": Stage(prompt="go")})


def test_a_plan_made_of_structs_is_judged_too() -> None:
    wrong: Any = "three"
    plan = Plan(name="demo", stages={"a": Stage(prompt="go", attempts=wrong)})
    assert [str(p) for p in problems(plan)] == [
        "stages.a.attempts: expected a whole number, got a text"
    ]
    plan = Plan(name="demo", stages={"a": Stage(prompt="go", needs=["b"])})
    assert [str(p) for p in problems(plan)] == ['stages.a.needs[0]: there is no stage "b"']
    plan = Plan(name="demo", stages={"a": Stage(prompt="go", contract={"x": object()})})
    assert "holds what is no JSON" in str(problems(plan)[0])


# ── every plan ────────────────────────────────────────────────────────────────────────────────

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="{}"), max_size=9)
WORDS = st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True)
PROMPTS = TEXTS.filter(str.strip)
NUMBERS = st.floats(0.001, 1e9) | st.integers(1, 10**9).map(float)
MODELS = st.from_regex(r"[a-z]{1,4}/[a-z0-9./:-]{1,9}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | TEXTS | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
LIMITS = st.builds(
    Limits,
    tokens=st.none() | st.integers(1, 10**9),
    cost=st.none() | st.just(0.0) | NUMBERS,
    seconds=st.none() | NUMBERS,
)
CHECKS = st.builds(
    Check,
    run=PROMPTS,
    name=st.none() | TEXTS,
    red_to_green=st.booleans(),
    repeat=st.integers(1, 9),
    timeout=NUMBERS,
)
REPLIES: Any = st.sampled_from(("once", "always", "reject"))
QUESTIONS: Any = st.sampled_from(("person", "reject"))
ASKS = st.builds(
    Asks,
    permissions=st.lists(
        st.builds(AskRule, permission=TEXTS, pattern=TEXTS, reply=REPLIES), max_size=2
    ),
    questions=QUESTIONS,
    reviewer=st.none() | MODELS,
    deadline=NUMBERS,
    default=REPLIES,
)
STAGES = st.builds(
    Stage,
    prompt=PROMPTS,
    agent=st.none() | TEXTS,
    model=st.none() | MODELS,
    fallback=st.lists(MODELS, max_size=2),
    contract=st.none() | st.just({"type": "object", "properties": {"on": {"const": "no"}}}),
    checks=st.lists(CHECKS, max_size=2),
    timeout=NUMBERS,
    attempts=st.integers(1, 9),
    budget=st.none() | LIMITS,
    attempt_budget=st.none() | LIMITS,
    worktree=st.booleans(),
    best_of=st.integers(1, 9),
    tools=st.none() | st.dictionaries(TEXTS, st.booleans(), max_size=2),
    asks=st.none() | ASKS,
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    names = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    stages = {}
    for index, name in enumerate(names):
        needs = draw(
            st.lists(st.sampled_from(names[:index]), unique=True) if index else st.just([])
        )
        stages[name] = msgspec.structs.replace(draw(STAGES), needs=needs)
    return draw(
        st.builds(
            Plan,
            name=PROMPTS,
            stages=st.just(stages),
            description=TEXTS,
            inputs=st.dictionaries(
                WORDS,
                st.builds(Input, description=TEXTS, default=st.just(msgspec.UNSET) | JSON),
                max_size=3,
            ),
            budget=st.none() | LIMITS,
            concurrency=st.integers(1, 99),
            asks=ASKS,
            playbook=st.dictionaries(st.sampled_from(("timeout", "stuck")), JSON, max_size=2),
        )
    )


class Quoting(yaml.SafeDumper):
    """PyYAML leaves texts unquoted that are numbers in YAML 1.2, such as 0o17."""


Quoting.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, "|" if "\n" in text else '"'
    ),
)


@settings(deadline=None)
@given(plans())
def test_a_plan_that_is_written_reads_back_the_same(plan: Plan) -> None:
    assert problems(plan) == []
    raw = msgspec.to_builtins(plan)
    with tempfile.TemporaryDirectory() as folder:
        block = yaml.dump(raw, Dumper=Quoting, sort_keys=False, allow_unicode=True)
        assert read_plan(written(Path(folder), block)) == plan
        assert read_plan(written(Path(folder), json.dumps(raw), "flow.json")) == plan
        assert read_plan(written(Path(folder), json.dumps(raw, ensure_ascii=False))) == plan
    jsonschema_rs.validate(json.loads(write_schema()), without_nulls(raw))


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return list(map(without_nulls, value)) if isinstance(value, list) else value


@pytest.mark.parametrize(
    "case",
    [
        "unknown key",
        "unknown key of a check",
        "wrong type",
        "a choice",
        "missing prompt",
        "no stages",
        "no name",
        "stage name",
        "input name",
        "negative limits",
    ],
)
def test_the_schema_refuses_what_it_can_see(case: str) -> None:
    judge = jsonschema_rs.validator_for(json.loads(write_schema()))
    assert not judge.is_valid(yaml.safe_load(BAD[case][0]))
    assert judge.is_valid(yaml.safe_load(ONE))
    assert judge.is_valid({"$schema": "x", **yaml.safe_load(ONE), "inputs": {"topic": None}})
