"""The public catalogue of providers and models: names, prices, limits, abilities.

The facts are those of models.dev (MIT licence, see ``catalogue.LICENSE``). They are packed one
provider at a time, so that looking one up costs the reading of that one: ``catalogue.data`` is

    b"OCT1", the index's length (4 bytes, big-endian), the index, and the providers' models

The index (zlib, JSON) maps a provider's id to [name, variables, preferred model, offset, length];
each provider's models are a zlib stream of JSON, ``{id: Model}`` as the API shows them.
"""

import logging
import os
import struct
import zlib
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import msgspec

from ostler.schema.provider import Model, Provider

log = logging.getLogger(__name__)

PACKAGED = os.path.join(os.path.dirname(__file__), "catalogue.data")
REFRESHED = "models.catalogue"
"""A newer one's file in the cache folder."""
_MAGIC = b"OCT1"
_HEAD = struct.Struct(">4sI")


class CatalogueError(Exception):
    """The file is no catalogue, or a broken one; the message names it."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A provider without its models. ``env``: variables that may hold its key; ``offset`` counts
    from the end of the index."""

    name: str
    env: list[str]
    preferred: str
    offset: int
    length: int


class Catalogue:
    """Read when first asked. Raises CatalogueError then."""

    def __init__(self, path: str = PACKAGED) -> None:
        self._path = path

    @cached_property
    def _opened(self) -> tuple[dict[str, Entry], int]:
        """The index, and where the providers begin."""
        try:
            with open(self._path, "rb") as file:
                magic, length = _HEAD.unpack(file.read(_HEAD.size))
                packed = file.read(length)
            if magic != _MAGIC:
                raise CatalogueError(f"{self._path} is no catalogue")
            index = msgspec.json.decode(zlib.decompress(packed), type=dict[str, Entry])
        except (OSError, struct.error, zlib.error, msgspec.DecodeError) as e:
            raise CatalogueError(f"{self._path} cannot be read: {e}") from None
        return index, _HEAD.size + length

    @property
    def entries(self) -> Mapping[str, Entry]:
        """By provider id, in the catalogue's order."""
        return self._opened[0]

    def provider(self, provider_id: str) -> Provider | None:
        """A provider with all its models, not connected."""
        entry = self.entries.get(provider_id)
        if entry is None:
            return None
        models = msgspec.json.decode(self._models(entry), type=dict[str, Model])
        return Provider(
            id=provider_id,
            name=entry.name,
            source="custom",
            env=list(entry.env),
            options={},
            models=models,
        )

    def record(self, provider_id: str) -> bytes:
        """A provider's record as JSON, its models not decoded. Raises KeyError."""
        entry = self.entries[provider_id]
        head = msgspec.json.encode(
            {
                "id": provider_id,
                "name": entry.name,
                "source": "custom",
                "env": entry.env,
                "options": {},
            }
        )
        return b'%b,"models":%b}' % (head[:-1], self._models(entry))

    def _models(self, entry: Entry) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(self._opened[1] + entry.offset)
            return zlib.decompress(file.read(entry.length))


@cache
def packaged() -> Catalogue:
    """The one that comes with Ostler."""
    return Catalogue()


def newest(cache: str) -> Catalogue:
    """The one in the cache folder, where somebody brought one since Ostler was installed; else
    Ostler's."""
    path = os.path.join(cache, REFRESHED)
    try:
        if os.stat(path).st_mtime < os.stat(PACKAGED).st_mtime:
            return packaged()
        found = Catalogue(path)
        len(found.entries)
    except FileNotFoundError:
        return packaged()
    except (OSError, CatalogueError) as e:
        log.warning("Ostler's own catalogue is used: %s", e)
        return packaged()
    return found


def pack(document: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A catalogue file's content from ``{id: {name, env, default_model, models}}``. Raises
    CatalogueError that names the model which is none."""
    index: dict[str, Entry] = {}
    blobs: list[bytes] = []
    offset = 0
    for provider_id in sorted(document):
        described = document[provider_id]
        models = {
            model_id: _model(provider_id, model_id, model)
            for model_id, model in described["models"].items()
        }
        blob = zlib.compress(msgspec.json.encode(models), 9)
        index[provider_id] = Entry(
            described["name"], described["env"], described["default_model"], offset, len(blob)
        )
        blobs.append(blob)
        offset += len(blob)
    packed = zlib.compress(msgspec.json.encode(index), 9)
    return b"".join((_HEAD.pack(_MAGIC, len(packed)), packed, *blobs))


def _model(provider_id: str, model_id: str, described: Mapping[str, Any]) -> Model:
    try:
        return msgspec.convert({**described, "id": model_id, "providerID": provider_id}, Model)
    except msgspec.ValidationError as e:
        raise CatalogueError(f"{provider_id}/{model_id}: {e}") from None
