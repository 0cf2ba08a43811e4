"""Content blocks of the protocol to parts of a prompt, and parts of the history back to blocks."""

import base64
import binascii
import os
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ostler.schema.part import FilePart, FilePartInput, PartInput, TextPart, TextPartInput

Json = dict[str, Any]


def parts_of(blocks: list[Json]) -> list[PartInput]:
    """Blocks that say nothing (sounds, empty pictures) are left out. Raises KeyError, TypeError for
    blocks that lack what their type has."""
    return [part for block in blocks if (part := _part(block)) is not None]


def _part(block: Json) -> PartInput | None:
    kind = block["type"]
    if kind == "text":
        audience = (block.get("annotations") or {}).get("audience")
        return TextPartInput(
            text=block["text"],
            synthetic=True if audience == ["assistant"] else None,
            ignored=True if audience == ["user"] else None,
        )
    if kind == "image":
        return _image(block)
    if kind == "resource_link":
        return _link(block)
    return _resource(block["resource"]) if kind == "resource" else None


def _image(block: Json) -> PartInput | None:
    uri = block.get("uri") or ""
    name = _name(uri) or "image"
    if block.get("data"):
        url = f"data:{block['mimeType']};base64,{block['data']}"
    elif uri.startswith(("data:", "http://", "https://")):
        url = uri
    else:
        return None
    return FilePartInput(mime=block["mimeType"], url=url, filename=name)


def _link(block: Json) -> PartInput:
    uri: str = block["uri"]
    path = _zed_path(uri)
    if path is not None:
        uri = "file://" + quote(path)
    if not uri.startswith("file://"):
        return TextPartInput(text=uri)
    name = block.get("name") or _name(uri) or "file"
    return FilePartInput(mime=block.get("mimeType") or "text/plain", url=uri, filename=name)


def _resource(resource: Json) -> PartInput | None:
    uri: str = resource["uri"]
    if "text" in resource:
        url = urlsplit(uri)
        source = _zed_path(uri) or uri
        if url.scheme == "file":
            source = unquote(url.path) + (f"#{url.fragment}" if url.fragment else "")
        return TextPartInput(text=f"{source}\n{resource['text']}")
    mime = resource.get("mimeType")
    if not mime:
        return None
    inline = uri if uri.startswith("data:") else f"data:{mime};base64,{resource['blob']}"
    return FilePartInput(mime=mime, url=inline, filename=_name(uri) or "file")


def _zed_path(uri: str) -> str | None:
    """The file an editor's own address stands for."""
    if not uri.startswith("zed://"):
        return None
    return parse_qs(urlsplit(uri).query).get("path", [None])[0]


def _name(uri: str) -> str | None:
    return (
        None if uri.startswith("data:") else os.path.basename(unquote(urlsplit(uri).path)) or None
    )


def inlined(url: str) -> tuple[str, str]:
    """The type and the base64 text of a data URL; both empty for any other."""
    head, separator, data = url.partition(";base64,")
    if not (separator and head.startswith("data:")):
        return "", ""
    return head.removeprefix("data:"), data


def blocks_of(part: TextPart | FilePart) -> list[Json]:
    """A part of a stored prompt or answer, as blocks; none where there is nothing to show."""
    if isinstance(part, FilePart):
        return _file_blocks(part)
    if not part.text:
        return []
    audience = ["assistant"] if part.synthetic else ["user"] if part.ignored else None
    marked = {"annotations": {"audience": audience}} if audience else {}
    return [{"type": "text", "text": part.text, **marked}]


def _file_blocks(part: FilePart) -> list[Json]:
    name = part.filename or "file"
    if part.url.startswith("file://"):
        return [{"type": "resource_link", "uri": part.url, "name": name, "mimeType": part.mime}]
    mime, data = inlined(part.url)
    if not data:
        return []
    uri = "file:///" + quote(name.lstrip("/"))
    if mime.startswith("image/"):
        return [{"type": "image", "mimeType": mime, "data": data, "uri": uri}]
    resource: Json = {"uri": uri, "mimeType": mime, "blob": data}
    if mime.startswith("text/") or mime == "application/json":
        try:
            text = base64.b64decode(data).decode("utf-8", "replace")
        except binascii.Error:
            return []
        resource = {"uri": uri, "mimeType": mime, "text": text}
    return [{"type": "resource", "resource": resource}]
