"""The JSON Schema of opencode.json, for editors, written from the types that read it."""

from functools import cache
from typing import Any

import msgspec

from ostler.schema.config import Config

TITLE = "opencode.json"


@cache
def config_schema() -> dict[str, Any]:
    """Draft 2020-12. Unknown keys pass, as they do when a file is read; ``null`` is no value."""
    return schema_of(Config, TITLE)


def schema_of(kind: Any, title: str) -> dict[str, Any]:
    """Draft 2020-12, of a struct that is written by hand in a file."""
    (root,), components = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    definitions = {name: _clean(part) for name, part in components.items()}
    name = root["$ref"].rpartition("/")[2]
    top = definitions.pop(name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **{key: value for key, value in top.items() if key != "title"},
        "$defs": definitions,
    }


def _clean(schema: Any) -> Any:
    """Without ``null`` options and defaults, which are how the types say that a key may be left
    out."""
    if isinstance(schema, list):
        return [_clean(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        key: {name: _clean(each) for name, each in value.items()}
        if key == "properties"
        else _clean(value)
        for key, value in schema.items()
        if key != "default"
    }
    options = [option for option in result.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del result["anyOf"]
        return {**options[0], **result}
    if options:
        result["anyOf"] = options
    return result
