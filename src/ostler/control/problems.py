"""What is wrong with a plan, all of it at once, before anything is spent."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from ostler.config.jsonc import Path
from ostler.config.validate import closest, dotted, shape_issues
from ostler.control import template
from ostler.control.failures import KINDS
from ostler.control.plan import AskRule, Asks, Check, Limits, Plan, Stage
from ostler.control.template import Reference, TemplateError
from ostler.schema.base import JsonObject
from ostler.schema.errors import OstlerError

STAGE_NAME = re.compile(r"[a-z][a-z0-9_-]*")
INPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
ARTIFACT_FIELDS = ("summary", "text", "value")
_METASCHEMA = "https://json-schema.org/draft/2020-12/schema"


class PlanIssue(msgspec.Struct, frozen=True):
    """One mistake. ``path``: keys down to it; ``line`` and ``column`` from 1, 0 where there is no
    file; ``within``: the line of a template that it is on."""

    message: str
    path: Path = ()
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    within: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:" if self.file else ""
        place += f"{self.line}:{self.column}:" if self.line else ""
        parts = (place, f"{dotted(self.path)}:" if self.path else "", self.message)
        said = " ".join(part for part in parts if part)
        return f"{said}; {self.hint}" if self.hint else said


class PlanError(OstlerError):
    """A plan that cannot be carried out; ``issues`` by file and line."""

    def __init__(self, issues: Iterable[PlanIssue]) -> None:
        self.issues = tuple(sorted(issues, key=lambda i: (i.file, i.line, i.column)))
        super().__init__("\n".join(map(str, self.issues)))


def problems(plan: Plan) -> list[PlanIssue]:
    """Everything that is wrong with a plan, however it was made; none: it can be carried out."""
    try:
        raw = msgspec.to_builtins(plan)
    except TypeError as error:
        return [PlanIssue(f"holds what is no JSON: {error}")]
    return shape(raw) or meaning(plan)


def shape(raw: Any) -> list[PlanIssue]:
    """Values of the wrong type and keys that are missing, of a plan without unknown keys."""
    return [
        PlanIssue(_expected(issue.message, issue.path, raw), issue.path)
        for issue in shape_issues(raw, Plan)
    ]


def meaning(plan: Plan) -> list[PlanIssue]:
    """What is wrong with a plan whose values have the right types."""
    return [
        *_names(plan),
        *_needs(plan),
        *_amounts(plan),
        *_models(plan),
        *_texts(plan),
        *_contracts(plan),
        *_templates(plan),
    ]


def meant(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint: the known name that comes nearest, else something else to say."""
    near = closest(name, known)
    return f'did you mean "{near}"?' if near else otherwise


def ancestors(plan: Plan, name: str) -> set[str]:
    """The stages that are over before a stage begins; itself among them where needs go round."""
    found: set[str] = set()
    waiting = list(plan.stages[name].needs)
    while waiting:
        each = waiting.pop()
        if each in plan.stages and each not in found:
            found.add(each)
            waiting += plan.stages[each].needs
    return found


# ── types ─────────────────────────────────────────────────────────────────────────────────────

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
_CHOICES = {
    name: get_args(hint)
    for struct in (Asks, AskRule)
    for name, hint in get_type_hints(struct).items()
    if get_origin(hint) is Literal
}


def _expected(message: str, path: Path, raw: Any) -> str:
    """msgspec's message in the words of somebody who writes YAML."""
    if message == "Missing key":
        return "is missing"
    if message.startswith("Invalid enum value") and path[-1] in _CHOICES:
        choices = ", ".join(_CHOICES[str(path[-1])])
        return f"expected one of {choices}, got {_value(path, raw)!r}"

    def plain(match: re.Match[str]) -> str:
        kinds = [_WORDS.get(kind, kind) for kind in match[1].split(" | ")]
        if match.start() and len(kinds) > 1:  # what is expected; nothing is always allowed there
            kinds = [kind for kind in kinds if kind != "nothing"]
        return " or ".join(kinds)

    said = re.sub(r"`([^`]+)`", plain, message)
    return said[:1].lower() + said[1:]


def _value(path: Path, raw: Any) -> Any:
    for step in path:
        raw = raw[step]
    return raw


# ── names and needs ───────────────────────────────────────────────────────────────────────────


def _names(plan: Plan) -> Iterator[PlanIssue]:
    if not plan.name.strip():
        yield PlanIssue("is empty", ("name",))
    if not plan.stages:
        yield PlanIssue("a plan has at least one stage", ("stages",))
    for name in plan.stages:
        if not STAGE_NAME.fullmatch(name):
            message = f'"{name}" is no name of a stage'
            hint = "a small letter, then small letters, digits, - and _"
            yield PlanIssue(message, ("stages", name), hint)
    for name in plan.inputs:
        if not INPUT_NAME.fullmatch(name):
            message = f'"{name}" is no name of an input'
            yield PlanIssue(message, ("inputs", name), "a letter, then letters, digits, - and _")
    for kind in plan.playbook:
        if kind not in KINDS:
            hint = meant(kind, KINDS, f"there are {', '.join(KINDS)}")
            yield PlanIssue(f'there is no failure "{kind}"', ("playbook", kind), hint)


def _needs(plan: Plan) -> Iterator[PlanIssue]:
    for name, stage in plan.stages.items():
        for index, need in enumerate(stage.needs):
            path: Path = ("stages", name, "needs", index)
            if need not in plan.stages:
                yield PlanIssue(f'there is no stage "{need}"', path, meant(need, plan.stages))
            elif need in stage.needs[:index]:
                yield PlanIssue(f'"{need}" is there twice', path)
    for cycle in _cycles(plan):
        message = f"stages that wait for each other: {' -> '.join((*cycle, cycle[0]))}"
        yield PlanIssue(message, ("stages", cycle[0], "needs"))


def _cycles(plan: Plan) -> list[tuple[str, ...]]:
    """Each circle of needs once, beginning with the stage that comes first in the file."""
    order = {name: index for index, name in enumerate(plan.stages)}
    found: dict[frozenset[str], tuple[str, ...]] = {}
    done: set[str] = set()
    for start in plan.stages:
        trail: list[str] = []
        waiting: list[tuple[str, bool]] = [(start, True)]
        while waiting:
            name, entering = waiting.pop()
            if not entering:
                done.add(trail.pop())
            elif name in trail:
                circle = trail[trail.index(name) :]
                first = circle.index(min(circle, key=order.__getitem__))
                found.setdefault(frozenset(circle), (*circle[first:], *circle[:first]))
            elif name not in done:
                trail.append(name)
                waiting.append((name, False))
                needs = plan.stages[name].needs
                waiting += [(need, True) for need in reversed(needs) if need in plan.stages]
    return list(found.values())


# ── numbers, models, texts ────────────────────────────────────────────────────────────────────


def _amounts(plan: Plan) -> Iterator[PlanIssue]:
    yield from _limits(plan.budget, ("budget",))
    yield from _not_negative(plan.asks.deadline, ("asks", "deadline"))
    for name, stage in plan.stages.items():
        path: Path = ("stages", name)
        yield from _limits(stage.budget, (*path, "budget"))
        yield from _limits(stage.attempt_budget, (*path, "attempt_budget"))
        yield from _positive(stage.timeout, (*path, "timeout"))
        for index, check in enumerate(stage.checks):
            yield from _positive(check.timeout, (*path, "checks", index, "timeout"))
        if stage.asks is not None:
            yield from _not_negative(stage.asks.deadline, (*path, "asks", "deadline"))


def _limits(limits: Limits | None, path: Path) -> Iterator[PlanIssue]:
    if limits is not None and limits.cost is not None:
        yield from _not_negative(limits.cost, (*path, "cost"))
    if limits is not None and limits.seconds is not None:
        yield from _positive(limits.seconds, (*path, "seconds"))


def _positive(value: float, path: Path) -> Iterator[PlanIssue]:
    if not (math.isfinite(value) and value > 0):
        yield PlanIssue(f"expected a number above 0, got {value:g}", path)


def _not_negative(value: float, path: Path) -> Iterator[PlanIssue]:
    if not (math.isfinite(value) and value >= 0):
        yield PlanIssue(f"expected a number of 0 or more, got {value:g}", path)


def _models(plan: Plan) -> Iterator[PlanIssue]:
    for path, model in models_named(plan):
        provider, _, name = model.partition("/")
        if not (provider and name):
            yield PlanIssue(f'"{model}" is no model', path, 'write "provider/model"')
    for path, asks in _asks(plan):
        if asks.questions == "reviewer" and asks.reviewer is None:
            hint = f"name a model in {dotted((*path, 'reviewer'))}"
            yield PlanIssue("there is no reviewer", (*path, "questions"), hint)


def models_named(plan: Plan) -> Iterator[tuple[Path, str]]:
    """Every model that a plan names, and where."""
    named: list[tuple[Path, Plan | Stage]] = [((), plan)]
    named += [(("stages", name), stage) for name, stage in plan.stages.items()]
    for path, where in named:
        if where.model is not None:
            yield (*path, "model"), where.model
        for index, model in enumerate(where.fallback):
            yield (*path, "fallback", index), model
    for path, asks in _asks(plan):
        if asks.reviewer is not None:
            yield (*path, "reviewer"), asks.reviewer


def _asks(plan: Plan) -> Iterator[tuple[Path, Asks]]:
    yield ("asks",), plan.asks
    for name, stage in plan.stages.items():
        if stage.asks is not None:
            yield ("stages", name, "asks"), stage.asks


def _texts(plan: Plan) -> Iterator[PlanIssue]:
    for index, url in enumerate(plan.notify):
        if not url.startswith(("http://", "https://")):
            yield PlanIssue(f'"{url}" is no URL', ("notify", index), "such as https://host/hook")
    for index, server in enumerate(plan.servers):
        if not re.match(r"https?://[^/]", server):
            hint = 'such as "http://127.0.0.1:4096"'
            yield PlanIssue(f'"{server}" is no address of a server', ("servers", index), hint)
    for name, stage in plan.stages.items():
        if not stage.prompt.strip():
            yield PlanIssue("is empty", ("stages", name, "prompt"))
        for index, check in enumerate(stage.checks):
            yield from _check(check, ("stages", name, "checks", index))


def _check(check: Check, path: Path) -> Iterator[PlanIssue]:
    if not check.run.strip():
        yield PlanIssue("is empty", (*path, "run"))


# ── contracts ─────────────────────────────────────────────────────────────────────────────────


def _contracts(plan: Plan) -> Iterator[PlanIssue]:
    for name, stage in plan.stages.items():
        if stage.contract is not None:
            yield from _contract(stage.contract, ("stages", name, "contract"))


def _contract(schema: JsonObject, path: Path) -> Iterator[PlanIssue]:
    """Why an object is no JSON Schema: the metaschema names every place, building one tells of
    references and expressions."""
    import jsonschema_rs  # native code, 30 ms

    draft = schema.get("$schema", _METASCHEMA)
    try:
        judge = jsonschema_rs.validator_for({"$ref": draft}, retriever=_refuse)
        found = [
            PlanIssue(_schema_message(error), (*path, *error.instance_path))
            for error in judge.iter_errors(schema)
        ]
        if not found:
            jsonschema_rs.validator_for(schema, retriever=_refuse)
    except jsonschema_rs.ValidationError as error:
        found = [PlanIssue(_schema_message(error), (*path, *error.instance_path))]
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        found = [PlanIssue(f"no JSON Schema: {error}", path)]
    yield from dict.fromkeys(found)


def _schema_message(error: Any) -> str:
    path, value = list(error.instance_path), error.instance
    if path[-1:] == ["type"] and isinstance(value, str):
        kinds = ("array", "boolean", "integer", "null", "number", "object", "string")
        return f'no JSON Schema: "{value}" is not one of {", ".join(kinds)}'
    return f"no JSON Schema: {error.message}"


def _refuse(uri: str) -> Any:
    raise ValueError("a contract stands for itself; nothing is fetched")


# ── templates ─────────────────────────────────────────────────────────────────────────────────


def _templates(plan: Plan) -> Iterator[PlanIssue]:
    for name, stage in plan.stages.items():
        yield from _template(plan, name, "prompt", stage.prompt, item=stage.for_each is not None)
        if stage.for_each is not None:
            yield from _for_each(plan, name, stage.for_each)
        if stage.summary is not None:
            yield from _summary(stage, name, stage.summary)


def _for_each(plan: Plan, name: str, source: str) -> Iterator[PlanIssue]:
    path: Path = ("stages", name, "for_each")
    if template.is_name(source):
        given = plan.inputs.get(source)
        if given is None:
            hint = 'a list of an earlier stage is "{{ artifacts.STAGE.value }}"'
            message = f'there is no input "{source}"'
            yield PlanIssue(message, path, meant(source, plan.inputs, hint))
        elif not isinstance(given.default, list | msgspec.UnsetType):
            yield PlanIssue(f'the default of input "{source}" is no list', path)
    elif "{{" not in source and "{%" not in source:
        hint = 'such as "{{ artifacts.STAGE.value }}"'
        yield PlanIssue("is neither the name of an input nor a template", path, hint)
    else:
        yield from _template(plan, name, "for_each", source, item=False)


def _summary(stage: Stage, name: str, text: str) -> Iterator[PlanIssue]:
    """It is over the stage's own answer alone, ``artifacts.this``."""
    path: Path = ("stages", name, "summary")
    try:
        references = template.names_in(text)
    except TemplateError as error:
        yield PlanIssue(error.reason, path, within=error.line)
        return
    for reference in references:
        message, hint = "", ""
        if reference.names[:2] != ("artifacts", "this"):
            said = ".".join(map(str, reference.names))
            message = f'a summary knows no "{said}"'
            hint = "it is over artifacts.this.text and artifacts.this.value"
        elif reference.names[2:3] == ("value",) and stage.contract is None:
            message, hint = "the stage has no contract, so there is no value", "use its text"
        if message:
            yield PlanIssue(message, path, hint, within=reference.line)


def _template(plan: Plan, name: str, key: str, text: str, *, item: bool) -> Iterator[PlanIssue]:
    path: Path = ("stages", name, key)
    try:
        references = template.names_in(text)
    except TemplateError as error:
        yield PlanIssue(error.reason, path, within=error.line)
        return
    for reference in references:
        message, hint = _unknown(plan, name, reference, item=item)
        if message:
            yield PlanIssue(message, path, hint, within=reference.line)


def _unknown(plan: Plan, name: str, reference: Reference, *, item: bool) -> tuple[str, str]:
    """What is wrong with a reference, and a hint; empty texts: nothing."""
    root, *rest = reference.names
    if root == "inputs":
        return _unknown_input(plan, rest)
    if root == "artifacts":
        return _unknown_artifact(plan, name, rest)
    if root == "item":
        return ("", "") if item else ('"item" is known in the prompt of a stage with for_each', "")
    known = template.ROOTS if item else template.ROOTS[:2]
    hint = meant(str(root), known, f"there are {' and '.join(known)}")
    for each in (*plan.stages, *plan.inputs):  # "artifacts.my-stage" subtracts "stage"
        if root in each.split("-")[1:]:
            hint = _HYPHEN
    return f'there is no "{root}"', hint


_HYPHEN = 'a name with a hyphen is written artifacts["a-b"] or inputs["a-b"]'


def _unknown_input(plan: Plan, rest: list[str | int]) -> tuple[str, str]:
    if not rest or rest[0] in plan.inputs or _is_method(rest[0]):
        return "", ""
    return f'there is no input "{rest[0]}"', _meant_in_template(str(rest[0]), plan.inputs)


def _unknown_artifact(plan: Plan, name: str, rest: list[str | int]) -> tuple[str, str]:
    if not rest or (_is_method(rest[0]) and rest[0] not in plan.stages):
        return "", ""
    needed = str(rest[0])
    if needed not in plan.stages:
        return f'there is no stage "{needed}"', _meant_in_template(needed, plan.stages)
    if needed == name:
        return "a stage has no artifact of its own before it is over", ""
    if needed not in ancestors(plan, name):
        return f'"{name}" does not need "{needed}"', f'add "{needed}" to its needs'
    return _unknown_field(plan.stages[needed], needed, rest[1:])


def _meant_in_template(name: str, known: Iterable[str]) -> str:
    cut_off = any(each.startswith(f"{name}-") for each in known)
    return _HYPHEN if cut_off else meant(name, known)


def _unknown_field(stage: Stage, name: str, rest: list[str | int]) -> tuple[str, str]:
    if not rest or _is_method(rest[0]):
        return "", ""
    if rest[0] not in ARTIFACT_FIELDS:
        hint = meant(str(rest[0]), ARTIFACT_FIELDS, "it has summary, text and value")
        return f'an artifact has no "{rest[0]}"', hint
    if rest[0] != "value" or stage.for_each is not None:
        return "", ""
    if stage.contract is None:
        return f'"{name}" has no contract, so its artifact has no value', "use its text"
    return _outside_contract(stage.contract, name, rest[1:])


def _outside_contract(schema: Any, name: str, rest: list[str | int]) -> tuple[str, str]:
    """A key that a contract rules out, as far as that can be seen without a value."""
    for step in rest:
        if not isinstance(schema, Mapping) or "$ref" in schema:
            return "", ""
        if isinstance(step, int):
            schema = schema.get("items")
            continue
        known = schema.get("properties") or {}
        closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
        if step not in known and closed and not _is_method(step):
            return f'the contract of "{name}" has no "{step}"', meant(step, known)
        schema = known.get(step)
    return "", ""


def _is_method(name: str | int) -> bool:
    return isinstance(name, str) and hasattr(dict, name)
