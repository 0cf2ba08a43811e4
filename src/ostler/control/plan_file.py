"""Flow files: a plan out of YAML (or JSON, or a dict), and every mistake in it with its line."""

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from ostler.config.json_schema import schema_of
from ostler.config.jsonc import Path
from ostler.config.validate import closest, known_only, unknown_paths
from ostler.control.document import Document, Fault, Place, read_document
from ostler.control.failures import KINDS
from ostler.control.plan import Input, Plan
from ostler.control.problems import (
    INPUT_NAME,
    STAGE_NAME,
    PlanError,
    PlanIssue,
    meaning,
    meant,
    problems,
    shape,
)
from ostler.control.template import is_name
from ostler.schema.base import JsonObject

__all__ = [
    "PlanError",
    "PlanIssue",
    "plan_of",
    "problems",
    "read_plan",
    "resolve_inputs",
    "write_schema",
]

_TOLD = ("needs", "inputs", "stages", "contract", "for_each")
"""Keys that tell what templates may name."""
_STAND_INS: JsonObject = {"name": "-", "prompt": "-", "run": "-"}


def read_plan(path: str) -> Plan:
    """The plan in a file. Contracts given as paths are read beside it. Raises PlanError with all
    mistakes that were found, and OSError where the file cannot be read."""
    try:
        document = read_document(path)
    except UnicodeDecodeError as error:
        raise PlanError([PlanIssue(f"not UTF-8: {error.reason}", file=path)]) from None
    if document.value is None and not document.faults:
        document.faults.append(Fault("the file is empty", Place(path, 1, 1)))
    if document.value is None:
        raise PlanError(_of_fault(fault) for fault in document.faults)
    return _plan(document, os.path.dirname(path) or ".", path)


def plan_of(raw: JsonObject, beside: str = ".") -> Plan:
    """The plan that a dict says, as a file would; ``beside``: the folder that contracts given as
    paths are in. Raises PlanError."""
    return _plan(Document(raw, {}, []), beside, "")


def resolve_inputs(plan: Plan, given: Mapping[str, Any]) -> JsonObject:
    """Values for all inputs: what is given, else defaults. A text, as a command line gives it, is
    read as JSON where the default is no text or a stage is carried out for each item of the input.
    Raises PlanError for inputs that do not exist, are missing, or do not read."""
    issues = [
        PlanIssue("the plan has no such input", ("inputs", name), meant(name, plan.inputs))
        for name in given
        if name not in plan.inputs
    ]
    values: JsonObject = {}
    for name, declared in plan.inputs.items():
        if name in given:
            values[name] = given[name]
            if isinstance(given[name], str) and _wants_json(plan, name, declared):
                try:
                    values[name] = msgspec.json.decode(given[name])
                except msgspec.DecodeError as error:
                    issues.append(PlanIssue(f"expected JSON: {error}", ("inputs", name)))
        elif declared.default is msgspec.UNSET:
            hint = declared.description or "it has no default"
            issues.append(PlanIssue("is not given", ("inputs", name), hint))
        else:
            values[name] = declared.default
    issues += [
        PlanIssue(f'expected a list: stage "{stage}" is for each of it', ("inputs", source))
        for stage, source in _listed(plan)
        if source in values and not isinstance(values[source], list)
    ]
    if issues:
        raise PlanError(dict.fromkeys(issues))
    return values


def _wants_json(plan: Plan, name: str, declared: Input) -> bool:
    if any(source == name for _, source in _listed(plan)):
        return True
    return declared.default is not msgspec.UNSET and not isinstance(declared.default, str)


def _listed(plan: Plan) -> list[tuple[str, str]]:
    """(stage, input) of the stages that are carried out for each item of an input."""
    return [
        (name, stage.for_each)
        for name, stage in plan.stages.items()
        if stage.for_each is not None and is_name(stage.for_each)
    ]


def write_schema() -> str:
    """The JSON Schema of a flow file, for editors."""
    return msgspec.json.format(msgspec.json.encode(plan_schema()), indent=2).decode() + "\n"


def plan_schema() -> JsonObject:
    """Draft 2020-12. What it cannot say (needs, templates, contracts) only ``read_plan`` does."""
    schema = schema_of(Plan, "Ostler flow")
    properties, parts = schema["properties"], schema["$defs"]
    properties["$schema"] = {"type": "string"}
    properties["stages"] |= {
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{STAGE_NAME.pattern}$"},
    }
    properties["inputs"] |= {
        "propertyNames": {"pattern": f"^{INPUT_NAME.pattern}$"},
        "additionalProperties": {"anyOf": [{"$ref": "#/$defs/Input"}, {"type": "null"}]},
    }
    properties["playbook"]["propertyNames"] = {"enum": list(KINDS)}
    parts["Stage"]["properties"]["contract"] = {"type": ["object", "string"]}
    for part, name in (("Stage", "timeout"), ("Check", "timeout"), ("Limits", "seconds")):
        parts[part]["properties"][name]["exclusiveMinimum"] = 0
    for part, name in (("Limits", "cost"), ("Asks", "deadline")):
        parts[part]["properties"][name]["minimum"] = 0
    return schema


# ── from a document to a plan ─────────────────────────────────────────────────────────────────


def _plan(document: Document, beside: str, file: str) -> Plan:
    """Raises PlanError."""
    issues = [_of_fault(fault) for fault in document.faults]
    if not isinstance(document.value, dict):
        wrong = PlanIssue("expected a mapping with name and stages", file=file, line=1, column=1)
        raise PlanError([*issues, wrong])
    raw = {key: value for key, value in document.value.items() if key != "$schema"}
    raw = _with_empty_inputs(raw)
    raw = _with_contracts(raw, beside, document.places, issues)
    unknown = unknown_paths(raw, Plan)
    raw = known_only(raw, Plan)
    misshapen = shape(raw)
    found = [_unknown_key(path, known) for path, known in unknown] + misshapen
    plan = _converted(raw, misshapen)
    if plan is not None:
        blurred = any(_blurs(issue.path) for issue in (*issues, *misshapen)) or any(
            closest(str(path[-1]), known) in _TOLD for path, known in unknown
        )
        found += [issue for issue in meaning(plan) if not (blurred and _is_of_template(issue))]
    issues += [_placed(issue, document.places, file) for issue in found]
    if issues or plan is None:
        raise PlanError(dict.fromkeys(issues))
    return plan


def _unknown_key(path: Path, known: list[str]) -> PlanIssue:
    return PlanIssue(f'unknown key "{path[-1]}"', path, meant(str(path[-1]), known))


def _of_fault(fault: Fault) -> PlanIssue:
    place = fault.place
    return PlanIssue(fault.message, fault.path, "", place.file, place.line, place.column)


def _placed(issue: PlanIssue, places: Mapping[Path, Place], file: str) -> PlanIssue:
    """With the place of its path, or of what is nearest around it."""
    path = issue.path
    while path and path not in places:
        path = path[:-1]
    place = places.get(path)
    if place is None:
        return msgspec.structs.replace(issue, file=file)
    if issue.within and place.body and path == issue.path:
        line, column = place.body + issue.within - 1, 1
    else:
        line, column = place.line, place.column
    return msgspec.structs.replace(issue, file=place.file, line=line, column=column)


def _with_empty_inputs(raw: JsonObject) -> JsonObject:
    """``topic:`` alone is an input without description and default."""
    inputs = raw.get("inputs")
    if not isinstance(inputs, dict):
        return raw
    return raw | {"inputs": {k: {} if v is None else v for k, v in inputs.items()}}


def _with_contracts(
    raw: JsonObject, beside: str, places: dict[Path, Place], issues: list[PlanIssue]
) -> JsonObject:
    """With the contents of contracts that are paths; their places and faults are taken over."""
    stages = raw.get("stages")
    if not isinstance(stages, dict):
        return raw
    read: JsonObject = {}
    for name, stage in stages.items():
        read[name] = stage
        if isinstance(stage, dict) and isinstance(stage.get("contract"), str):
            path: Path = ("stages", name, "contract")
            contract = _contract(stage["contract"], beside, path, places, issues)
            read[name] = {**stage, "contract": contract}
    return raw | {"stages": read}


def _contract(
    name: str, beside: str, path: Path, places: dict[Path, Place], issues: list[PlanIssue]
) -> JsonObject | None:
    file = os.path.join(beside, os.path.expanduser(name))
    try:
        document = read_document(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        issues.append(_placed(PlanIssue(f'cannot read "{name}": {reason}', path), places, ""))
        return None
    issues += [
        msgspec.structs.replace(_of_fault(fault), path=(*path, *fault.path))
        for fault in document.faults
    ]
    places |= {(*path, *inner): place for inner, place in document.places.items() if inner}
    if isinstance(document.value, dict):
        return document.value
    if not document.faults:
        issues.append(PlanIssue("no JSON Schema: expected a mapping", path, "", file, 1, 1))
    return None


# ── mistakes that are not the consequence of others ───────────────────────────────────────────


def _converted(raw: JsonObject, misshapen: list[PlanIssue]) -> Plan | None:
    """The plan without what is misshapen, so that the rest can be judged too; None: too little is
    left."""
    for issue in misshapen:
        if issue.path[:1] == ("stages",) and len(issue.path) == 2:
            raw = raw | {"stages": raw["stages"] | {issue.path[1]: _STAND_INS}}
        elif issue.path:
            raw = _repaired(raw, issue.path)
    raw = known_only(raw, Plan)
    try:
        return msgspec.convert(raw, Plan)
    except msgspec.ValidationError:
        return None


def _repaired(raw: JsonObject, path: Path) -> JsonObject:
    """A copy without the value at a path, or without the list that it is in; with something that
    stands in for it where it is required."""
    step, rest = str(path[0]), path[1:]
    if rest and isinstance(rest[0], str) and isinstance(raw.get(step), dict):
        return raw | {step: _repaired(raw[step], rest)}
    left = {key: value for key, value in raw.items() if key != step}
    return left | ({step: _STAND_INS[step]} if step in _STAND_INS else {})


def _blurs(path: Path) -> bool:
    """Whether a mistake there leaves open what templates may name."""
    return path[:1] == ("inputs",) or (
        path[:1] == ("stages",) and (len(path) < 3 or path[2] in _TOLD)
    )


def _is_of_template(issue: PlanIssue) -> bool:
    return issue.path[2:] in (("prompt",), ("for_each",), ("summary",))
