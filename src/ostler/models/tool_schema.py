"""JSON Schemas of tools, in the dialect a provider accepts.

What is refused where: Google's API reference (``Schema`` is a part of OpenAPI 3.0), OpenAI's guide
to function calling (the top is an object, no alternatives there), and what OpenCode 1.18 rewrites.
Nothing is changed in place.
"""

from collections.abc import Mapping
from typing import Any

from ostler.schema.provider import Model

Schema = dict[str, Any]

_GEMINI = frozenset(
    (
        "type", "format", "title", "description", "nullable", "enum", "items", "maxItems",
        "minItems", "properties", "required", "minProperties", "maxProperties", "minLength",
        "maxLength", "pattern", "anyOf", "propertyOrdering", "minimum", "maximum",
    )
)  # fmt: skip
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
MOST = 2_000
"""Schemas within one that are written out."""


def adapted(schema: Schema, model: Model) -> Schema:
    """For a model that is spoken to with one of OpenAI's protocols, whoever made it."""
    name = model.api.id.lower()
    if "gemini" in name:
        return for_gemini(schema) or {"type": "object", "properties": {}}
    if "kimi" in name or "moonshot" in model.providerID:
        return for_moonshot(schema)
    return for_openai(schema)


def for_openai(schema: Schema) -> Schema:
    """The top is an object; alternatives there, which the API refuses, become optional fields."""
    if schema.get("type") == "object" and not any(k in schema for k in (*_ALTERNATIVES, "not")):
        return schema
    result = {k: v for k, v in schema.items() if k not in (*_ALTERNATIVES, "not", "enum")}
    properties = dict(schema.get("properties") or {})
    required = list(schema.get("required") or ())
    for kind in _ALTERNATIVES:
        for part in schema.get(kind) or ():
            part = _at(part["$ref"], schema) if "$ref" in part else part
            for name, value in (part.get("properties") or {}).items():
                properties.setdefault(name, value)
            if kind == "allOf":
                required += [n for n in part.get("required") or () if n not in required]
    result.update(type="object", properties=properties)
    if required:
        result["required"] = required
    return result


def for_moonshot(schema: Schema) -> Schema:
    """A reference stands alone, and an array has one schema for its items."""
    result: Schema = _moonshot(for_openai(schema))
    return result


def _moonshot(node: Any) -> Any:
    if isinstance(node, list):
        return [_moonshot(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    result = {key: _moonshot(value) for key, value in node.items()}
    if isinstance(result.get("items"), list):
        first = result["items"]
        result["items"] = first[0] if first else {}
    return result


def for_gemini(schema: Schema) -> Schema | None:
    """Google's part of OpenAPI; None for a tool without parameters, which takes none there."""
    converted = _Gemini(schema).convert(schema, frozenset())
    if converted.get("type") == "object" and not converted.get("properties"):
        return None
    return converted


class _Gemini:
    """One schema's conversion. References are written out: one that leads back to itself, and
    everything beyond MOST schemas, becomes an object or text of any kind."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = MOST

    def convert(self, node: Any, within: frozenset[str]) -> Schema:
        """``within``: the references that are being written out around the node."""
        self._left -= 1
        if not isinstance(node, dict) or self._left < 0:
            return {} if self._left >= 0 else {"type": "string"}
        node, within = self._resolved(node, within)
        node = self._merged(node, within)
        result = {key: value for key, value in node.items() if key in _GEMINI}
        self._put_type(result, node, within)
        _put_enum(result, node)
        self._put_alternatives(result, node, within)
        self._put_properties(result, node, within)
        if result.get("type") == "array":
            items = node.get("items")
            items = items[0] if isinstance(items, list) and items else items
            result["items"] = self.convert(items, within) or {"type": "string"}
        else:
            result.pop("items", None)
        if result.get("type") != "object":
            for name in ("properties", "required"):
                result.pop(name, None)
        return result

    def _put_type(self, result: Schema, node: Schema, within: frozenset[str]) -> None:
        """One type: of several the one that is not null, or alternatives of them."""
        kind = node.get("type")
        if not isinstance(kind, list):
            return
        kinds = [k for k in kind if k != "null"]
        result.pop("type")
        if len(kinds) < len(kind):
            result["nullable"] = True
        if len(kinds) == 1:
            result["type"] = kinds[0]
        elif kinds:
            parts = [{"type": k, "items": node.get("items")} for k in kinds]
            result["anyOf"] = [self.convert(part, within) for part in parts]

    def _put_properties(self, result: Schema, node: Schema, within: frozenset[str]) -> None:
        result.pop("required", None)
        if not isinstance(node.get("properties"), dict) or "anyOf" in result or "enum" in result:
            return
        properties = {k: self.convert(v, within) for k, v in node["properties"].items()}
        result["properties"] = properties
        result.setdefault("type", "object")
        required = [name for name in node.get("required") or () if name in properties]
        if required:
            result["required"] = list(dict.fromkeys(required))

    def _put_alternatives(self, result: Schema, node: Schema, within: frozenset[str]) -> None:
        parts = [part for kind in ("anyOf", "oneOf") for part in node.get(kind) or ()]
        result.pop("anyOf", None)
        if not parts:
            return
        if {"type": "null"} in parts:
            result["nullable"] = True
        kept = [self.convert(part, within) for part in parts if part != {"type": "null"}]
        if len(kept) == 1:
            rest = dict(result)
            result.clear()
            result.update({**kept[0], **rest})
        elif kept:
            result["anyOf"] = kept
            for name in ("type", "enum", "properties", "items"):
                result.pop(name, None)  # beside alternatives the API takes a description only

    def _merged(self, node: Schema, within: frozenset[str]) -> Schema:
        """``allOf`` put together: the API has no such word."""
        if not isinstance(node.get("allOf"), list):
            return node
        result = {key: value for key, value in node.items() if key != "allOf"}
        for part in node["allOf"]:
            part, inner = self._resolved(part, within)
            for name, value in self._merged(part, inner).items():
                if name == "properties":
                    result[name] = {**value, **result.get(name, {})}
                elif name == "required":
                    result[name] = [*result.get(name, []), *value]
                else:
                    result.setdefault(name, value)
        return result

    def _resolved(self, node: Any, within: frozenset[str]) -> tuple[Schema, frozenset[str]]:
        """What a reference stands for, and the references it is now within; what stands beside a
        reference comes over that."""
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            target = node["$ref"]
            beside = {k: v for k, v in node.items() if k != "$ref"}
            if target in within:
                return {"type": "object", **beside}, within
            within |= {target}
            node = {**_at(target, self._root), **beside}
        return (node if isinstance(node, dict) else {}), within


def _put_enum(result: Schema, node: Schema) -> None:
    """Texts: the API takes no others."""
    if "const" in node:
        result["enum"] = [node["const"]]
    values = result.pop("enum", None) or ()
    if None in values:
        result["nullable"] = True
    texts = [str(value) for value in values if value is not None]
    if texts:
        result.update(type="string", enum=texts)


def _at(target: str, root: Schema) -> Schema:
    """What a reference within the schema points at; empty where that is nothing."""
    found: Any = root
    for name in target.removeprefix("#").strip("/").split("/"):
        name = name.replace("~1", "/").replace("~0", "~")
        if name:
            found = found.get(name) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}
