"""Messages on a pipe, however it cuts them up."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.integrations.lsp.framing import MAX_MESSAGE, MAX_NOISE, Decoder, FramingError, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=5)
NOISE = st.text(st.characters(codec="ascii", exclude_characters=":"), max_size=40)


@given(MESSAGES, NOISE, st.lists(st.integers(1, 50), max_size=40))
def test_messages_come_out_as_they_went_in(
    messages: list[dict[str, object]], noise: str, cuts: list[int]
) -> None:
    """With whatever a server prints between them, in pieces of any size."""
    stream = b"".join(noise.encode() + encode(m) for m in messages)
    decoder, out, at = Decoder(), [], 0
    for cut in [*cuts, len(stream)]:
        out += decoder.feed(stream[at : at + cut])
        at += cut
    assert out == messages


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: %d\r\n\r\n",
        b"content-length:%d\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n",
    ],
)
def test_headers(header: bytes) -> None:
    body = json.dumps({"method": "é"}, ensure_ascii=False).encode()
    assert list(Decoder().feed(header % len(body) + body)) == [{"method": "é"}]


def test_what_is_no_message_is_left_out() -> None:
    bad = (b"{", b"[1]", b"\xff\xff", b"")
    stream = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(b), b) for b in bad)
    assert list(Decoder().feed(b"x\r\n\r\n" + stream + encode({"id": 1}))) == [{"id": 1}]


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (MAX_NOISE + 1),
        b"Content-Length: %d\r\n\r\n" % (MAX_MESSAGE + 1),
        b"Content-Length: " + b"9" * 10_000 + b"\r\n\r\n",
    ],
)
def test_what_can_never_become_one(data: bytes) -> None:
    with pytest.raises(FramingError):
        list(Decoder().feed(data))
