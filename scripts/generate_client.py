"""Write the client's operations from the API document: ``python -m scripts.generate_client``.

One method an operation, in groups by operation id: ``session.deleteMessage`` is
``client.session.delete_message``. Parameters and bodies are the document's (OpenCode 1.18's); the
types of answers, and the body fields that only Ostler has, come from Ostler's own routes.
``--check`` writes nothing and ends with 1 when a file is not up to date.
"""

import inspect
import json
import keyword
import re
import subprocess
import sys
import types
import typing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import msgspec

import ostler.schema
from ostler.server import load_operations
from ostler.server.operation import OPERATIONS, Operation

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "tests/data/opencode-api-1.18.33.json"
FOLDER = ROOT / "src/ostler/client"

WAITING = frozenset(
    [
        "session.prompt",
        "session.command",
        "session.shell",
        "session.summarize",
        "session.init",
        "v2.session.wait",
        "v2.session.compact",
        "mcp.auth.authenticate",
        "provider.oauth.callback",
        "tui.control.next",
    ]
)
"""Operations that wait for a model or a person: their deadline is the longer one."""
SOCKETS = frozenset(["pty.connect", "v2.pty.connect"])
ANSWERS = {
    "global.health": ("Health", "ostler.client.answers"),
    "session.messages": ("list[MessageWithParts]", "ostler.schema.message"),
    "session.message": ("MessageWithParts", "ostler.schema.message"),
    "provider.oauth.authorize": ("JsonObject | None", "ostler.schema.base"),
}
"""Answers that the routes declare as something else: JSON that is passed through, or a type that
is the server's own."""
LEFT_OUT = {"parent_id"}
"""An older spelling of a field that is there as well."""
WHOLE = {"config.update", "global.config.update", "part.update", "auth.set"}
"""Operations whose body is a record of its own, and one argument."""


# ── schema types by name ──────────────────────────────────────────────────────────────────────


def _schema_names() -> dict[str, tuple[str, Any]]:
    """Public name -> its module and the type, for structs and for names of unions and lists."""
    found: dict[str, tuple[str, Any]] = {}
    for info in iter_modules(ostler.schema.__path__, "ostler.schema."):
        if info.name.endswith((".errors", ".event")):
            continue
        module = import_module(info.name)
        for name, value in vars(module).items():
            if name[0].isupper() and not name.isupper() and _is_named(name, value, module):
                found.setdefault(name, (info.name, value))
    return found


def _is_named(name: str, value: Any, module: types.ModuleType) -> bool:
    """Whether it is a struct of the module, or a union or list that gets its name there."""
    if isinstance(value, type):
        return issubclass(value, msgspec.Struct) and value.__module__ == module.__name__
    if not isinstance(value, types.UnionType | types.GenericAlias):
        return False
    named_here = re.search(rf"^{name} = ", inspect.getsource(module), re.MULTILINE)
    return named_here is not None and typing.get_origin(value) in (types.UnionType, list)


NAMES = _schema_names()


@dataclass
class Types:
    """Writes type expressions, and remembers what they need imported."""

    imports: dict[str, str] = field(default_factory=dict)

    def use(self, name: str, module: str) -> str:
        if self.imports.setdefault(name, module) != module:
            raise SystemExit(f"{name} is in {module} and in {self.imports[name]}")
        return name

    def named(self, name: str) -> str:
        return self.use(name, NAMES[name][0])

    # from a Python type

    def of(self, kind: Any) -> str:
        """Raises KeyError for a type that the client cannot know."""
        if kind is Any or kind is object:
            return "Any"
        if kind is None or kind is type(None):
            return "None"
        for name, (_, value) in NAMES.items():
            if kind is value or (not isinstance(kind, type) and kind == value):
                return self.named(name)
        origin, inside = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            return self.of(inside[0])
        if origin is typing.Literal:
            return f"Literal[{', '.join(json.dumps(v) for v in inside)}]"
        if origin is list:
            return f"list[{self.of(inside[0])}]"
        if origin is dict:
            if inside == (str, Any):
                return self.use("JsonObject", "ostler.schema.base")
            return f"dict[{self.of(inside[0])}, {self.of(inside[1])}]"
        if origin in (types.UnionType, typing.Union):
            return " | ".join(self.of(member) for member in inside)
        if kind in (str, int, float, bool, bytes):
            return str(kind.__name__)
        raise KeyError(kind)

    # from the document

    def read(self, schema: dict[str, Any], newer: bool) -> str:
        """What an argument may be. ``newer``: of the newer API, whose names mean other things."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name in NAMES and not newer:
                return self._lenient(name)
            return self.read(COMPONENTS[name], newer)
        if "enum" in schema and schema.get("type") == "string":
            return f"Literal[{', '.join(json.dumps(v) for v in schema['enum'])}]"
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._any_of(schema[key], newer)
        match schema.get("type"):
            case "string":
                return "str"
            case "integer":
                return "int"
            case "number":
                return "float"
            case "boolean":
                return "bool"
            case "null":
                return "None"
            case "array":
                self.use("Sequence", "collections.abc")
                return f"Sequence[{self.read(schema.get('items', {}), newer)}]"
            case "object":
                return self._mapping(schema, newer)
        return "Any"

    def _any_of(self, options: list[dict[str, Any]], newer: bool) -> str:
        read = [self.read(option, newer) for option in options]
        if "bool" in read:  # a boolean's words in a query
            read = [r for r in read if r != 'Literal["true", "false"]']
        members = [m for r in read for m in r.split(" | ")]
        return "Any" if "Any" in members else " | ".join(dict.fromkeys(members))

    def _mapping(self, schema: dict[str, Any], newer: bool) -> str:
        for name, (_, value) in NAMES.items():
            if newer or not isinstance(value, type) or name not in ("PromptModel", "SessionModel"):
                continue
            if set(schema.get("properties", ())) == set(value.__struct_fields__):
                return self._lenient(name)
        self.use("Mapping", "collections.abc")
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and not schema.get("properties"):
            return f"Mapping[str, {self.read(more, newer)}]"
        return "Mapping[str, Any]"

    def _lenient(self, name: str) -> str:
        """A record is taken as a struct or as plain JSON."""
        value = NAMES[name][1]
        if isinstance(value, types.GenericAlias):
            inner = typing.get_args(value)[0]
            self.use("Sequence", "collections.abc")
            if inner is str:
                return "Sequence[str]"
            return f"Sequence[{self.lenient_of(inner)}]"
        self.use("Mapping", "collections.abc")
        return f"{self.named(name)} | Mapping[str, Any]"

    def lenient_of(self, kind: Any) -> str:
        written = self.of(kind)
        if any(word in NAMES for word in re.findall(r"\w+", written)):
            self.use("Mapping", "collections.abc")
            written = re.sub(r" \| None$", "", written)
            return f"{written} | Mapping[str, Any]"
        return re.sub(r" \| None$", "", written)


COMPONENTS: dict[str, Any] = {}


# ── operations ────────────────────────────────────────────────────────────────────────────────


@dataclass
class Argument:
    """``place``: path, query, body, or whole for an argument that is the body."""

    name: str
    kind: str
    place: str
    required: bool
    ours: bool = False

    @property
    def python(self) -> str:
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name


@dataclass
class Method:
    id: str
    verb: str
    path: str
    arguments: list[Argument]
    answer: str
    located: bool
    style: str = "call"

    @property
    def name(self) -> str:
        name = _snake(_split(self.id)[1])
        return f"{name}_" if keyword.iskeyword(name) else name


@dataclass
class Group:
    name: str
    methods: list[Method] = field(default_factory=list)
    groups: dict[str, "Group"] = field(default_factory=dict)

    @property
    def class_name(self) -> str:
        parts = [p[0].upper() + p[1:] for p in self.name.split(".") if p]
        return "".join(parts) + "Group" if parts else "Operations"


IDS: set[str] = set()


def _split(operation_id: str) -> tuple[list[str], str]:
    """Groups and method: one whose group is a method itself is joined to it (vcs.diff.raw)."""
    *groups, name = operation_id.split(".")
    if ".".join(groups) in IDS:
        name = f"{groups.pop()}_{name}"
    return groups, name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def read_methods(written: Types) -> list[Method]:
    document = json.loads(DOCUMENT.read_text())
    COMPONENTS.update(document["components"]["schemas"])
    load_operations()
    routes = {o.id: o for o in OPERATIONS}
    described = [
        (verb.upper(), path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]
    IDS.update(operation["operationId"] for _, _, operation in described)
    return [
        _method(verb, path, operation, routes.get(operation["operationId"]), written)
        for verb, path, operation in described
    ]


def _method(
    verb: str, path: str, operation: dict[str, Any], route: Operation | None, written: Types
) -> Method:
    name = operation["operationId"]
    newer = name.startswith("v2.")
    arguments: list[Argument] = []
    located = False
    if path.endswith("/*"):
        path = path[:-1] + "{path}"
        arguments.append(Argument("path", "str", "path", True))
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in ("directory", "workspace") or "location" in parameter["name"]:
            located = True
            continue
        kind = written.read(parameter["schema"], newer)
        arguments.append(
            Argument(parameter["name"], kind, parameter["in"], parameter.get("required", False))
        )
    arguments += _body(name, operation, route, written)
    answer, style = _answer(name, operation, route, written)
    located = located or newer
    return Method(name, verb, path, arguments, answer, located, style)


def _body(
    name: str, operation: dict[str, Any], route: Operation | None, written: Types
) -> list[Argument]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return []
    newer = name.startswith("v2.")
    schema = content["application/json"]["schema"]
    resolved = schema
    while "$ref" in resolved:
        resolved = COMPONENTS[resolved["$ref"].rpartition("/")[2]]
    if name in WHOLE or "properties" not in resolved:
        kind = written.read(schema, newer)
        return [Argument("body", kind, "whole", True)]
    required = resolved.get("required", ())
    arguments = [
        Argument(field_name, written.read(inner, newer), "body", field_name in required)
        for field_name, inner in resolved["properties"].items()
    ]
    return arguments + _ours(route, resolved["properties"].keys(), written)


def _ours(route: Operation | None, known: Any, written: Types) -> list[Argument]:
    """The fields of a body that only Ostler has."""
    if route is None or not isinstance(route.body, type):
        return []
    if not issubclass(route.body, msgspec.Struct):
        return []
    return [
        Argument(f.encode_name, written.lenient_of(f.type), "body", False, ours=True)
        for f in msgspec.structs.fields(route.body)
        if f.encode_name not in known and f.encode_name not in LEFT_OUT
    ]


def _answer(
    name: str, operation: dict[str, Any], route: Operation | None, written: Types
) -> tuple[str, str]:
    """The answer's type and how it comes: by a call, a stream of events, or a socket."""
    if name in SOCKETS:
        return "Any", "socket"
    good = {k: v for k, v in operation["responses"].items() if k.startswith("2")}
    ((status, response),) = good.items()
    content = response.get("content", {})
    if status == "204" or not content:
        return "None", "call"
    media, described = next(iter(content.items()))
    if media == "text/event-stream":
        return "", "events"
    if media == "application/octet-stream":
        return "bytes", "call"
    if name in ANSWERS:
        kind, module = ANSWERS[name]
        written.use(re.sub(r"^list\[|\]$| \| None", "", kind), module)
        return kind, "call"
    if route is not None:
        try:
            return written.of(route.answer), "call"
        except KeyError:
            pass  # a type of the server's own
    return _plain(described["schema"], written), "call"


def _plain(schema: dict[str, Any], written: Types) -> str:
    """JSON by its outermost shape."""
    while "$ref" in schema:
        schema = COMPONENTS[schema["$ref"].rpartition("/")[2]]
    match schema.get("type"):
        case "boolean":
            return "bool"
        case "string":
            return "str"
        case "array":
            inner = _plain(schema["items"], written)
            return f"list[{inner}]"
        case "object":
            return written.use("JsonObject", "ostler.schema.base")
    return "Any"


# ── writing ───────────────────────────────────────────────────────────────────────────────────


def tree(methods: list[Method]) -> Group:
    root = Group("")
    for method in methods:
        group = root
        for name in _split(method.id)[0]:
            group = group.groups.setdefault(name, Group(f"{group.name}.{name}".strip(".")))
        group.methods.append(method)
    return root


class Writer:
    def __init__(self, blocking: bool) -> None:
        self.blocking = blocking
        self.types = Types()
        self._lines: list[str] = []

    def module(self) -> str:
        root = tree(read_methods(self.types))
        self._groups(root)
        body = "\n".join(self._lines)
        return _formatted(f"{self._head(body)}\n\n{body}\n")

    def _head(self, body: str) -> str:
        title = "for callers without an event loop" if self.blocking else "as coroutines"
        lines = [
            f'"""Every operation of the API, {title}.',
            "",
            "Written by ``python -m scripts.generate_client`` from the API document, not by hand.",
            "Arguments have the API's own names; what is None is not sent. ``directory``: the",
            "project a call is about; ``deadline``: seconds, the client's own where it is None.",
            "Raises ClientError.",
            '"""',
            "",
        ]
        if "builtins." in body:
            lines.append("import builtins")
        self.types.use("Any", "typing")
        if "Literal[" in body:
            self.types.use("Literal", "typing")
        events = "BlockingEvents" if self.blocking else "EventStream"
        self.types.use(
            events, "ostler.client.blocking" if self.blocking else "ostler.client.events"
        )
        self.types.use("MODEL_DEADLINE", "ostler.client.address")
        if self.blocking:
            self.types.use("LoopThread", "ostler.client.blocking")
        self.types.use("Connection", "ostler.client.connection")
        self.types.use("Group" if self.blocking else "AsyncGroup", "ostler.client.group")
        modules: dict[str, list[str]] = {}
        for name, module in self.types.imports.items():
            if re.search(rf"\b{name}\b", body):
                modules.setdefault(module, []).append(name)
        for module, names in sorted(modules.items()):
            lines.append(f"from {module} import {', '.join(sorted(names))}")
        return "\n".join(lines)

    def _groups(self, group: Group) -> None:
        for inner in group.groups.values():
            self._groups(inner)
        self._class(group)

    def _class(self, group: Group) -> None:
        base = "Group" if self.blocking else "AsyncGroup"
        self._lines += ["", "", f"class {group.class_name}({base}):"]
        if not group.name:
            self._lines.append('    """The operations by noun."""\n')
        if group.groups:
            self._init(group)
        shadowed = any(m.name == "list" for m in group.methods)
        for method in group.methods:
            text = self._method(method)
            self._lines.append(
                re.sub(r"(?<![\w.])list\[", "builtins.list[", text) if shadowed else text
            )

    def _init(self, group: Group) -> None:
        taken = ", thread: LoopThread" if self.blocking else ""
        given = ", thread" if self.blocking else ""
        self._lines += [
            f"    def __init__(self, connection: Connection{taken}) -> None:",
            f"        super().__init__(connection{given})",
        ]
        for name, inner in group.groups.items():
            attribute = f"{name}_" if keyword.iskeyword(name) else _snake(name)
            self._lines.append(f"        self.{attribute} = {inner.class_name}(connection{given})")
        self._lines.append("")

    def _method(self, method: Method) -> str:
        coroutine = not self.blocking and method.style == "call"
        answer = method.answer
        if method.style == "events":
            answer = "BlockingEvents" if self.blocking else "EventStream"
        lines = [
            f"    {'async ' * coroutine}def {method.name}({self._signature(method)}) -> {answer}:",
            f'        """{self._docstring(method)}"""',
        ]
        if method.style == "call":
            lines += self._call(method, "await " * coroutine)
        else:
            opener = "self._events" if method.style == "events" else "self._socket"
            lines.append(f"        return {opener}({', '.join(self._passed(method))})")
        return "\n".join([*lines, ""])

    def _signature(self, method: Method) -> str:
        path = [f"{a.python}: {a.kind}" for a in method.arguments if a.place == "path"]
        whole = [f"body: {a.kind}" for a in method.arguments if a.place == "whole"]
        named = [
            f"{a.python}: {a.kind}" if a.required else f"{a.python}: {_optional(a.kind)} = None"
            for a in sorted(method.arguments, key=lambda a: not a.required)
            if a.place in ("query", "body")
        ]
        if method.located and method.style != "socket":
            named.append(f"{self._location(method)}: str | None = None")
        if method.style == "call":
            waits = method.id in WAITING
            named.append(
                "deadline: float = MODEL_DEADLINE" if waits else "deadline: float | None = None"
            )
        return ", ".join(["self", *path, *whole, *(["*", *named] if named else [])])

    def _location(self, method: Method) -> str:
        """The argument that locates the call; the body may have a ``directory`` of its own."""
        taken = any(a.name == "directory" for a in method.arguments)
        return "project_directory" if taken else "directory"

    def _docstring(self, method: Method) -> str:
        said = f"``{method.verb} {method.path}``"
        ours = [f"``{a.name}``" for a in method.arguments if a.ours]
        return f"{said}. Ostler's own: {', '.join(ours)}." if ours else said

    def _call(self, method: Method, wait: str) -> list[str]:
        passed = [f'"{method.verb} {method.path}"', method.answer, *self._passed(method)[1:]]
        passed.append("deadline=deadline")
        call = f"{wait}self._call({', '.join(passed)})"
        if method.answer == "None":
            return [f"        {call}"]
        if self._is_union(method.answer):  # no class: a type checker cannot follow it
            return [f"        answer: {method.answer} = {call}", "        return answer"]
        return [f"        return {call}"]

    def _is_union(self, answer: str) -> bool:
        name = re.sub(r"^.*[\[ ](\w+)\]$", r"\1", answer)
        return "|" in answer or (
            name == answer and name in NAMES and not isinstance(NAMES[name][1], type)
        )

    def _passed(self, method: Method) -> list[str]:
        passed = [f'"{method.path}"']
        for place in ("path", "query", "body"):
            given = [f'"{a.name}": {a.python}' for a in method.arguments if a.place == place]
            if given or (method.style == "socket" and place == "query"):
                passed.append(f"{place}={{{', '.join(given)}}}")
        if any(a.place == "whole" for a in method.arguments):
            passed.append("body=body")
        if method.located and method.style != "socket":
            passed.append(f"directory={self._location(method)}")
        return passed


def _optional(kind: str) -> str:
    return kind if kind == "Any" or kind.endswith("None") else f"{kind} | None"


def _formatted(source: str) -> str:
    for command in (["check", "--select", "I", "--fix", "-q"], ["format", "-q"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", "operations.py", "-"],
            input=source,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            timeout=60,
        )
        source = done.stdout
    return source


def main() -> int:
    stale = []
    for name, blocking in (("async_operations.py", False), ("operations.py", True)):
        file, text = FOLDER / name, Writer(blocking).module()
        if file.exists() and file.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            file.write_text(text)
    if "--check" in sys.argv and stale:
        print(f"not up to date: {', '.join(stale)}; run python -m scripts.generate_client")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
