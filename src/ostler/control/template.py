"""Prompts as templates (Jinja2, sandboxed) over inputs, artifacts of earlier stages and an item.

Values are JSON: what is no text is written as JSON, and ``a.items`` is the key "items" where there
is one. A name that does not exist is an error, never an empty place in a prompt.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.schema.base import JsonObject
from ostler.schema.errors import OstlerError

if TYPE_CHECKING:
    import jinja2
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOTS = ("inputs", "artifacts", "item")
_NAME = "<template>"


class TemplateError(OstlerError):
    """A template that cannot be read or filled in. ``line``: of the template, from 1; 0: unknown.
    ``reason``: the message without stage and line."""

    def __init__(self, reason: str, line: int = 0, stage: str = "") -> None:
        where = ", ".join(
            filter(None, (f'stage "{stage}"' if stage else "", f"line {line}" if line else ""))
        )
        super().__init__(f"template of {where}: {reason}" if where else f"template: {reason}")
        self.reason, self.line, self.stage = reason, line, stage


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage leaves: the whole answer, its short form, and, where the stage has a contract,
    the answer as JSON."""

    summary: str = ""
    text: str = ""
    value: Any = None


class Reference(msgspec.Struct, frozen=True):
    """A chain of names in a template, ``artifacts.plan.value.files[0]``, as far as it is known
    before there are values; ``line`` of the template."""

    names: tuple[str | int, ...]
    line: int


def render(
    template: str,
    inputs: Mapping[str, Any],
    artifacts: Mapping[str, Artifact | JsonObject],
    item: Any = None,
    *,
    stage: str = "",
) -> str:
    """The text. ``artifacts`` by stage, each with ``summary``, ``text`` and ``value``; ``item`` is
    undefined where it is None. Raises TemplateError."""
    import jinja2

    known: JsonObject = {
        "inputs": dict(inputs),
        "artifacts": {name: _fields(artifact) for name, artifact in artifacts.items()},
    }
    if item is not None:
        known["item"] = item
    try:
        return _compiled(template).render(known)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(error.message or "cannot be read", error.lineno, stage) from None
    except jinja2.TemplateError as error:
        raise TemplateError(error.message or str(error), _line(error), stage) from error
    except Exception as error:  # whatever an expression of the template raises
        reason = f"{type(error).__name__}: {error}"
        raise TemplateError(reason, _line(error), stage) from error


def render_list(
    source: str,
    inputs: Mapping[str, Any],
    artifacts: Mapping[str, Artifact | JsonObject],
    *,
    stage: str = "",
) -> list[Any]:
    """What ``for_each`` stands for: the name of an input, or a template that writes a JSON list.
    Raises TemplateError."""
    if is_name(source):
        if source not in inputs:
            raise TemplateError(f'for_each: there is no input "{source}"', 0, stage)
        value = inputs[source]
    else:
        text = render(source, inputs, artifacts, stage=stage)
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise TemplateError(f"for_each is no JSON list: {text[:200]!r}", 0, stage) from None
    if not isinstance(value, list):
        raise TemplateError(f"for_each is no list: {_json(value)[:200]}", 0, stage)
    return value


def is_name(source: str) -> bool:
    """Whether a ``for_each`` is the name of an input rather than a template."""
    return source.replace("-", "_").isidentifier()


def names_in(template: str) -> list[Reference]:
    """What a template takes from outside, in the order of its lines. Raises TemplateError when it
    does not parse, or has a filter, test or tag that is not there."""
    import jinja2
    from jinja2 import meta

    try:
        tree = _environment().parse(template)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(error.message or "cannot be read", error.lineno) from None
    _check_parts(tree)
    try:
        outside = meta.find_undeclared_variables(tree) - set(_environment().globals)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(error.message or "cannot be read", error.lineno) from None
    return list(dict.fromkeys(_references(tree, outside)))


# ── Jinja2 ────────────────────────────────────────────────────────────────────────────────────


@cache
def _environment() -> "ImmutableSandboxedEnvironment":
    import jinja2  # 0.1 s: only where there is a template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            if isinstance(obj, Mapping) and attribute in obj:
                return obj[attribute]  # methods hide no key: ``value.items`` is data
            return super().getattr(obj, attribute)

    def finalize(value: Any) -> Any:
        return value if isinstance(value, str | jinja2.Undefined) else _json(value)

    environment = Environment(
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    environment.filters["tojson"] = _json  # the built-in one escapes for HTML
    return environment


@cache
def _compiled(template: str) -> "jinja2.Template":
    return _environment().from_string(template)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=list)


def _fields(artifact: Artifact | JsonObject) -> JsonObject:
    if isinstance(artifact, Artifact):
        return msgspec.structs.asdict(artifact)
    return artifact


def _line(error: BaseException) -> int:
    """Jinja2 puts the template's own lines into the traceback."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in (_NAME, "<unknown>"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


# ── names ─────────────────────────────────────────────────────────────────────────────────────


def _check_parts(tree: "nodes.Template") -> None:
    """Raises TemplateError for what would fail only when the template is filled in."""
    from jinja2 import nodes

    environment = _environment()
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        known = environment.filters if isinstance(node, nodes.Filter) else environment.tests
        if node.name not in known:
            kind = "filter" if isinstance(node, nodes.Filter) else "test"
            raise TemplateError(f'there is no {kind} "{node.name}"', node.lineno)
    for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise TemplateError("a template cannot bring in other files", other.lineno)


def _references(node: "nodes.Node", outside: set[str]) -> Iterator[Reference]:
    names = _chain(node)
    if not names:
        for child in node.iter_child_nodes():
            yield from _references(child, outside)
    elif names[0] in outside:
        yield Reference(names, node.lineno)


def _chain(node: "nodes.Node") -> tuple[str | int, ...]:
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        before = _chain(node.node)
        return (*before, node.attr) if before else ()
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        before = _chain(node.node)
        key = node.arg.value
        return (*before, key) if before and isinstance(key, str | int) else ()
    return ()
