"""What Amazon's API has of its own: signatures, and answers in frames.

Frames: "Event stream encoding" of Amazon's documentation: total length, header length and checksum
of these (4 bytes each, big-endian), headers, payload, checksum of it all. Credentials and
signatures are ``botocore``'s (``pip install 'ostler[bedrock]'``): it finds keys, profiles, roles
and web identities where Amazon's own programs do.
"""

import asyncio
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from ostler.models import failure

_PRELUDE = 12
_CHECKSUM = 4
_STRING, _BYTES = 7, 6
_WIDTHS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Type of a header's value -> its bytes, where they are fixed."""


class FrameParser:
    """``feed`` bytes, get each frame that they complete as JSON, ``{kind: payload}``, where the
    kind is that of the event or exception. Raises ValueError on bytes that are no frames;
    ``limit`` bounds one frame in bytes."""

    media = "application/vnd.amazon.eventstream"

    def __init__(self, limit: int = 32 * 2**20) -> None:
        self._rest = b""
        self._limit = limit

    def feed(self, chunk: bytes) -> list[bytes]:
        data = self._rest + chunk if self._rest else chunk
        at, events = 0, []
        while len(data) - at >= _PRELUDE:
            total = int.from_bytes(data[at : at + 4], "big")
            if zlib.crc32(data[at : at + 8]) != int.from_bytes(data[at + 8 : at + 12], "big"):
                raise ValueError("the checksum of a frame's head is wrong")
            if not _PRELUDE + _CHECKSUM <= total <= self._limit:
                raise ValueError(f"a frame of {total} bytes; {self._limit} are the limit")
            if len(data) - at < total:
                break
            events.append(_event(data[at : at + total]))
            at += total
        self._rest = data[at:]
        return events

    def close(self) -> list[bytes]:
        return []


def _event(frame: bytes) -> bytes:
    if zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "big"):
        raise ValueError("the checksum of a frame is wrong")
    length = int.from_bytes(frame[4:8], "big")
    headers = _headers(frame[_PRELUDE : _PRELUDE + length])
    payload = frame[_PRELUDE + length : -_CHECKSUM]
    kind = headers.get(":event-type") or headers.get(":exception-type")
    if kind is None:  # an error outside the service's own: code and message are headers
        kind = "error"
        payload = msgspec.json.encode(
            {"code": headers.get(":error-code"), "message": headers.get(":error-message")}
        )
    return b"{%b:%b}" % (msgspec.json.encode(kind), payload or b"{}")


def _headers(data: bytes) -> dict[str, str]:
    """The headers whose values are texts."""
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            end = at + 1 + data[at]
            name, kind = data[at + 1 : end].decode(), data[end]
            at = end + 1
            if kind in (_STRING, _BYTES):
                size = int.from_bytes(data[at : at + 2], "big")
                if kind == _STRING:
                    found[name] = data[at + 2 : at + 2 + size].decode()
                at += 2 + size
            else:
                at += _WIDTHS[kind]
    except (IndexError, KeyError, UnicodeDecodeError):
        raise ValueError("the headers of a frame make no sense") from None
    return found


async def signed(
    url: str, headers: Mapping[str, str], body: bytes, options: Mapping[str, Any], provider_id: str
) -> dict[str, str]:
    """The headers with Amazon's signature (SigV4) of a POST. ``options``: ``region``, ``profile``,
    or the keys themselves (``accessKeyId``, ``secretAccessKey``, ``sessionToken``). Raises
    ModelFailure."""
    return await asyncio.to_thread(_sign, url, dict(headers), body, dict(options), provider_id)


def _sign(
    url: str, headers: dict[str, str], body: bytes, options: dict[str, Any], provider_id: str
) -> dict[str, str]:
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise failure.missing_credential(
            provider_id,
            f"{provider_id} is signed in to with Amazon's credentials, which need botocore: "
            "pip install 'ostler[bedrock]', or set AWS_BEARER_TOKEN_BEDROCK",
        ) from None
    try:
        credentials = _credentials(options)
        if credentials is None:
            raise failure.missing_credential(
                provider_id,
                "No AWS credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "AWS_PROFILE, or AWS_BEARER_TOKEN_BEDROCK",
            )
        request = AWSRequest("POST", url, headers=headers, data=body)
        SigV4Auth(credentials.get_frozen_credentials(), "bedrock", options["region"]).add_auth(
            request
        )
    except BotoCoreError as e:
        raise failure.missing_credential(provider_id, f"AWS credentials: {e}") from None
    return dict(request.headers.items())


def _credentials(options: dict[str, Any]) -> Any:
    if options.get("accessKeyId") and options.get("secretAccessKey"):
        from botocore.credentials import Credentials

        return Credentials(
            options["accessKeyId"], options["secretAccessKey"], options.get("sessionToken")
        )
    return _session(options.get("profile")).get_credentials()


@cache
def _session(profile: str | None) -> Any:
    """One a profile: it keeps what it found, and renews it."""
    from botocore.session import Session

    return Session(profile=profile)
