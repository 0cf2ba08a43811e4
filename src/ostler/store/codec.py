"""Records to rows and back. A row's JSON leaves out the ids that its columns hold already, and a
list of messages is assembled from rows as bytes, never decoded (it is the API's largest answer)."""

import msgspec

from ostler.schema.message import Message
from ostler.schema.part import Part
from ostler.schema.session import Session, Todo

encode = msgspec.json.Encoder().encode

session_decoder = msgspec.json.Decoder(Session)
message_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
part_decoder: msgspec.json.Decoder[Part] = msgspec.json.Decoder(Part)
todos_decoder = msgspec.json.Decoder(list[Todo])


def session_ids(session_id: str) -> bytes:
    return b'"id":"%b"' % session_id.encode()


def message_ids(session_id: str, message_id: str) -> bytes:
    return b'"id":"%b","sessionID":"%b"' % (message_id.encode(), session_id.encode())


def part_ids(session_id: str, message_id: str, part_id: str) -> bytes:
    return b'"id":"%b","sessionID":"%b","messageID":"%b"' % (
        part_id.encode(),
        session_id.encode(),
        message_id.encode(),
    )


def strip(record: bytes, ids: bytes) -> str:
    """The record's JSON without its ids, for the data column."""
    head, found, tail = record.partition(ids)
    if not found:
        raise ValueError("the record does not carry the ids it is stored under")
    if tail.startswith(b","):
        return (head + tail[1:]).decode()
    return (head.removesuffix(b",") + tail).decode()


def restore(data: bytes, ids: bytes) -> bytes:
    """The whole record's JSON again."""
    return b"{" + ids + (b"," if len(data) > 2 else b"") + data[1:]
