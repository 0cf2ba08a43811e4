"""GET /doc: the OpenAPI 3.1 document, written from the types that decode the requests."""

import re
from functools import lru_cache
from typing import Any

import msgspec

from ostler import __version__
from ostler.schema import auth, mcp, message, part, session
from ostler.schema import event as events
from ostler.schema.event import Properties
from ostler.server.asgi import Response, encode
from ostler.server.operation import OPERATIONS, Context, Operation, operation

_REF = "#/components/schemas/{name}"
_GLOBAL = ("/global/", "/auth/", "/doc", "/experimental/control-plane/", "/api/health", "/schema/")
_NEWER = "v2."
"""How the ids of operations begin that are located by ``location``, an object in the query."""
_ERRORS: dict[int, tuple[str, ...]] = {
    400: ("BadRequestError",),
    403: ("Forbidden",),
    404: ("NotFoundError",),
    409: ("SessionBusyError",),
}
_ERROR_SCHEMAS: dict[str, dict[str, Any]] = {
    "BadRequestError": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "data": {
                "type": "object",
                "properties": {
                    "message": {"type": "string"},
                    "kind": {
                        "type": "string",
                        "enum": ["Params", "Headers", "Query", "Body", "Payload"],
                    },
                },
                "required": ["message"],
            },
        },
        "required": ["name", "data"],
    },
    "NotFoundError": {"type": "object"},
    "SessionBusyError": {
        "type": "object",
        "properties": {
            "_tag": {"const": "SessionBusyError"},
            "sessionID": {"type": "string"},
            "message": {"type": "string"},
        },
        "required": ["_tag", "sessionID", "message"],
    },
    "Forbidden": {"type": "object"},
}


@operation("GET /doc", "doc.get", answer=dict[str, Any])
async def doc(context: Context) -> Response:
    return Response(document())


@lru_cache(maxsize=1)
def document() -> bytes:
    """The whole document as JSON."""
    types = _types()
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(map(_key, types), (_tidy(s) for s in schemas), strict=True))
    components = {name: _tidy(schema) for name, schema in components.items()}
    named = {name: _tidy(s) for name, s in _named_unions().items()}
    dissolve = _Dissolve(components, named)
    by_type = {key: dissolve.schema(schema) for key, schema in by_type.items()}
    components = dissolve.components()
    paths: dict[str, dict[str, Any]] = {}
    for found in OPERATIONS:
        paths.setdefault(found.path, {})[found.method.lower()] = _operation(found, by_type)
    components.update(_events(components, by_type))
    components.update(_ERROR_SCHEMAS)
    return encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "ostler", "version": __version__},
            "paths": paths,
            "components": {"schemas": components},
        }
    )


_LEFT_OUT = ("title", "default", "discriminator")
# What clients generate types for, by OpenCode's names; every other struct is written out where it
# is used.
_NAMES = frozenset(
    [
        "Agent",
        "AgentConfig",
        "AgentPart",
        "AgentPartInput",
        "ApiAuth",
        "APIError",
        "AssistantMessage",
        "AttachmentConfig",
        "Command",
        "CompactionPart",
        "Config",
        "ContentFilterError",
        "ContextOverflowError",
        "FileContent",
        "FileNode",
        "FilePart",
        "FilePartInput",
        "FilePartSourceText",
        "FileSource",
        "FormatterStatus",
        "ImageAttachmentConfig",
        "LSPStatus",
        "MCPStatusConnected",
        "MCPStatusDisabled",
        "MCPStatusFailed",
        "MCPStatusNeedsAuth",
        "MCPStatusNeedsClientRegistration",
        "McpLocalConfig",
        "McpOAuthConfig",
        "McpRemoteConfig",
        "McpResource",
        "MessageAbortedError",
        "MessageOutputLengthError",
        "Model",
        "OAuth",
        "OutputFormatJsonSchema",
        "OutputFormatText",
        "PatchPart",
        "Path",
        "PermissionRequest",
        "PermissionRule",
        "Project",
        "ProjectCommands",
        "ProjectIcon",
        "ProjectTime",
        "Provider",
        "ProviderAuthError",
        "ProviderConfig",
        "Pty",
        "QuestionInfo",
        "QuestionOption",
        "QuestionRequest",
        "QuestionTool",
        "Range",
        "ReasoningPart",
        "ResourceSource",
        "RetryPart",
        "ServerConfig",
        "Session",
        "SnapshotFileDiff",
        "SnapshotPart",
        "StepFinishPart",
        "StepStartPart",
        "StructuredOutputError",
        "SubtaskPart",
        "SubtaskPartInput",
        "Symbol",
        "SymbolSource",
        "TextPart",
        "TextPartInput",
        "Todo",
        "ToolListItem",
        "ToolPart",
        "ToolStateCompleted",
        "ToolStateError",
        "ToolStatePending",
        "ToolStateRunning",
        "UnknownError",
        "UserMessage",
        "VcsFileDiff",
        "VcsFileStatus",
        "VcsInfo",
        "WellKnownAuth",
        "Worktree",
        "WorktreeCreateInput",
    ]
)


def _named_unions() -> dict[str, Any]:
    """Schemas that have a name although no struct stands for them."""
    kinds = {
        "Auth": auth.Auth,
        "FilePartSource": part.FilePartSource,
        "MCPStatus": mcp.MCPStatus,
        "Message": message.Message,
        "OutputFormat": message.OutputFormat,
        "Part": part.Part,
        "SessionStatus": session.SessionStatus,
        "ToolState": part.ToolState,
    }
    schemas, _ = msgspec.json.schema_components(list(kinds.values()), ref_template=_REF)
    return dict(zip(kinds, schemas, strict=True))


class _Dissolve:
    """Writes structs without a public name out where they are used, and puts names in the place of
    unions that have one."""

    def __init__(self, components: dict[str, Any], named: dict[str, Any]) -> None:
        self._components = components
        self._named = {encode(self._written(s)): name for name, s in named.items()}
        self._unions = {name: self._written(s) for name, s in named.items()}

    def components(self) -> dict[str, Any]:
        kept = {n: self._inside(s) for n, s in self._components.items() if n in _NAMES}
        unions = {name: self._inside(schema) for name, schema in self._unions.items()}
        return {**kept, **unions}

    def schema(self, schema: Any) -> Any:
        """The schema as the document shows it."""
        written = self._written(schema)
        name = self._named.get(encode(written))
        return {"$ref": _REF.format(name=name)} if name else self._inside(written)

    def _inside(self, schema: Any) -> Any:
        """The schema with what is inside of it dissolved, itself not named."""
        if isinstance(schema, dict):
            return {key: self.schema(value) for key, value in schema.items()}
        return [self.schema(item) for item in schema] if isinstance(schema, list) else schema

    def _written(self, schema: Any) -> Any:
        """A reference to a struct without a public name gives way to the struct."""
        while isinstance(schema, dict) and "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name in _NAMES or name not in self._components:
                return schema
            schema = {**self._components[name], **{k: v for k, v in schema.items() if k != "$ref"}}
        return schema


def _event_types() -> list[type[Properties]]:
    return [
        value
        for value in vars(events).values()
        if isinstance(value, type) and issubclass(value, Properties) and value is not Properties
    ]


def _types() -> list[Any]:
    """Every type the document mentions, once."""
    wanted: list[Any] = [*_event_types()]
    for found in OPERATIONS:
        wanted += [t for t in (found.body, found.answer, found.query) if t not in (None, object)]
    unique: dict[str, Any] = {}
    for kind in wanted:
        unique.setdefault(_key(kind), kind)
    return list(unique.values())


def _key(kind: Any) -> str:
    return repr(kind)


def _tidy(schema: Any) -> Any:
    """Optional means absent, never null; integers and names as the reference writes them."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {k: _tidy(v) for k, v in schema.items() if k not in _LEFT_OUT}
    if "properties" in schema:  # whose keys are names, such as "title"
        result["properties"] = {name: _tidy(v) for name, v in schema["properties"].items()}
    if "anyOf" in result:
        options = [o for o in result["anyOf"] if o != {"type": "null"}]
        result["anyOf"] = options
        if len(options) == 1:
            del result["anyOf"]
            result = {**options[0], **result}
    if "description" in result and "properties" in result:
        result["description"] = " ".join(result["description"].split())
    return result


def _operation(found: Operation, by_type: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": found.id,
        "parameters": [*_path_parameters(found), *_query_parameters(found, by_type)],
        "responses": _responses(found, by_type),
    }
    text = (found.handler.__doc__ or "").strip()
    if text:
        described["description"] = " ".join(text.split())
    if found.body is not None:
        described["requestBody"] = {
            "required": not found.optional_body,
            "content": {"application/json": {"schema": by_type[_key(found.body)]}},
        }
    return described


def _path_parameters(found: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", found.path)
    ]


_LOCATION = {
    "name": "location",
    "in": "query",
    "required": False,
    "style": "deepObject",
    "explode": True,
    "schema": {
        "type": "object",
        "properties": {"directory": {"type": "string"}, "workspace": {"type": "string"}},
    },
}


def _query_parameters(found: Operation, by_type: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = []
    known = set()
    if found.query is not None:
        (schema,), parts = msgspec.json.schema_components([found.query], ref_template=_REF)
        body = _tidy(parts[schema["$ref"].rpartition("/")[2]])
        for name, field in body.get("properties", {}).items():
            known.add(name)
            parameters.append(
                {
                    "name": name,
                    "in": "query",
                    "required": name in body.get("required", ()),
                    "schema": field,
                }
            )
    if found.path.startswith(_GLOBAL):
        return parameters
    if found.id.startswith(_NEWER):
        parameters.append(_LOCATION)
    else:
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
            for name in ("directory", "workspace")
            if name not in known
        ]
    return parameters


def _responses(found: Operation, by_type: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if found.answer is None:
        responses["204"] = {"description": "Done"}
    else:
        schema = (
            {"$ref": _REF.format(name="Event" if found.path == "/event" else "GlobalEvent")}
            if found.answer is object
            else by_type[_key(found.answer)]
        )
        responses["200"] = {
            "description": "Success",
            "content": {found.answer_type: {"schema": schema}},
        }
    for status in (400, *found.errors):
        names = _ERRORS.get(status, ("BadRequestError",))
        responses[str(status)] = {
            "description": names[0],
            "content": {"application/json": {"schema": {"$ref": _REF.format(name=names[0])}}},
        }
    return responses


def _events(components: dict[str, Any], by_type: dict[str, Any]) -> dict[str, Any]:
    """Event and GlobalEvent, with one EventXxx each."""
    found: dict[str, Any] = {}
    for kind in _event_types():
        name = "Event" + "".join(w[:1].upper() + w[1:] for w in kind.kind.split("."))
        found[name] = {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "type": {"type": "string", "const": kind.kind},
                "properties": by_type[_key(kind)],
            },
            "required": ["id", "type", "properties"],
        }
    union = {"anyOf": [{"$ref": _REF.format(name=name)} for name in found]}
    found["Event"] = union
    found["GlobalEvent"] = {
        "type": "object",
        "properties": {
            "directory": {"type": "string"},
            "project": {"type": "string"},
            "payload": {"$ref": _REF.format(name="Event")},
        },
        "required": ["payload"],
    }
    return found
