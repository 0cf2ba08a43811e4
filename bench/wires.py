"""``python -m bench.wires [--runs N]``: what a wire costs.

``parse``: CPU of turning a stream of 2,000 chunks with 20 bytes of text each, which arrive one at a
time, into deltas. ``import``: time to import ``ostler.models`` with that wire in a fresh process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

CHUNKS = 2_000
SAID = "twenty characters ok"
MODULES = ("openai_chat", "openai_responses", "anthropic", "gemini", "bedrock")
_IMPORT = """
import time
began = time.perf_counter()
import ostler.models.registry, ostler.models.{module}
print(time.perf_counter() - began)
"""


def _sse(value: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps(value).encode()


def _streams() -> dict[str, tuple[list[bytes], Callable[[], Any], Callable[[], Any]]]:
    """Module -> chunks as they arrive, its parser, its decoder."""
    from tests.models.test_bedrock import delta

    from ostler.models.anthropic import MessageDecoder
    from ostler.models.aws import FrameParser
    from ostler.models.bedrock import ConverseDecoder
    from ostler.models.gemini import ContentDecoder
    from ostler.models.openai_chat import ChatDecoder
    from ostler.models.openai_responses import ResponseDecoder
    from ostler.sse import SSEParser

    chat = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    piece = {"index": 0, "delta": {"content": SAID}, "finish_reason": None}
    part = {"content": {"role": "model", "parts": [{"text": SAID}]}, "index": 0}
    events: dict[str, tuple[bytes, Callable[[], Any], Callable[[], Any]]] = {
        "openai_chat": (_sse({**chat, "choices": [piece]}), SSEParser, lambda: ChatDecoder("")),
        "openai_responses": (
            b"event: response.output_text.delta\n"
            + _sse(
                {
                    "type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0,
                    "content_index": 0, "delta": SAID, "sequence_number": 1,
                }
            ),
            SSEParser,
            lambda: ResponseDecoder(""),
        ),
        "anthropic": (
            b"event: content_block_delta\n"
            + _sse(
                {
                    "type": "content_block_delta", "index": 0,
                    "delta": {"type": "text_delta", "text": SAID},
                }
            ),
            SSEParser,
            lambda: _opened(MessageDecoder("")),
        ),
        "gemini": (_sse({"candidates": [part]}), SSEParser, lambda: ContentDecoder("")),
        "bedrock": (delta(0, text=SAID), FrameParser, lambda: ConverseDecoder("")),
    }  # fmt: skip
    return {name: ([chunk] * CHUNKS, p, d) for name, (chunk, p, d) in events.items()}


def _opened(decoder: Any) -> Any:
    block = {"type": "text", "text": ""}
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    decoder.feed([json.dumps(start).encode()])
    return decoder


def parse(chunks: list[bytes], make_parser: Callable[[], Any], make_decoder: Any) -> float:
    """Seconds of CPU."""
    parser, decoder = make_parser(), make_decoder()
    began = time.process_time()
    count = 0
    for chunk in chunks:
        count += len(decoder.feed(parser.feed(chunk)))
    spent = time.process_time() - began
    assert count == CHUNKS, count
    return spent


def cold_import(module: str) -> float:
    """Seconds."""
    code = _IMPORT.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.wires")
    arguments.add_argument("--runs", type=int, default=15)
    runs = arguments.parse_args().runs
    print(f"{'':18} {'parse, ms':>10} {'import, ms':>11}")
    for name, stream in _streams().items():
        parsed = statistics.median(parse(*stream) for _ in range(runs))
        imported = statistics.median(cold_import(name) for _ in range(runs))
        print(f"{name:18} {parsed * 1000:10.1f} {imported * 1000:11.0f}")


if __name__ == "__main__":
    main()
