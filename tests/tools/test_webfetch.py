"""``webfetch`` against a real server on loopback."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ostler.schema.errors import PermissionDenied, ToolError
from ostler.tools import webfetch
from tests.support.host import ScriptedHost, make_context, run_tool

PAGE = """<html><head><title>T</title><script>alert(1)</script><style>p {}</style></head>
<body><h1>Heading</h1><p>Some <em>words</em> and <a href="/x">a link</a>.</p>
<ul><li>one</li><li>two</li></ul></body></html>"""

Answer = tuple[int, str, bytes]
"""Status, header lines, body."""


@asynccontextmanager
async def site(answer: Callable[[str], Answer | None]) -> AsyncIterator[str]:
    """A server whose answer depends on the request's head; None: it never answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        found = answer(head)
        if found is None:
            await asyncio.Event().wait()
            return
        status, headers, body = found
        writer.write(f"HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def html(head: str) -> Answer:
    return 200, "content-type: text/html; charset=utf-8\r\n", PAGE.encode()


async def test_markdown_by_default(tmp_path: Path) -> None:
    host = ScriptedHost()
    async with site(html) as url:
        result = await run_tool(webfetch.TOOL, make_context(tmp_path, host), url=url)
    assert "# Heading" in result.output
    assert "*words*" in result.output
    assert "[a link](/x)" in result.output
    assert "- one\n- two" in result.output
    assert "alert" not in result.output
    assert result.title == f"{url} (text/html; charset=utf-8)"
    (ask,) = host.asks
    assert (ask.permission, ask.patterns, ask.always) == ("webfetch", [url], ["*"])


async def test_other_formats(tmp_path: Path) -> None:
    async with site(html) as url:
        text = await run_tool(webfetch.TOOL, tmp_path, url=url, format="text")
        whole = await run_tool(webfetch.TOOL, tmp_path, url=url, format="html")
    assert "Some words and a link." in text.output
    assert "alert" not in text.output
    assert whole.output == PAGE


async def test_what_is_no_html_is_passed_on(tmp_path: Path) -> None:
    body = '{"a": "<b>"}'
    async with site(lambda _: (200, "content-type: application/json\r\n", body.encode())) as url:
        assert (await run_tool(webfetch.TOOL, tmp_path, url=url)).output == body


@pytest.mark.parametrize(("charset", "text"), [("latin-1", "é"), ("utf-8", "é"), ("nonsense", "e")])
async def test_character_sets(tmp_path: Path, charset: str, text: str) -> None:
    body = text.encode("utf-8" if charset == "nonsense" else charset)
    headers = f"content-type: text/plain; charset={charset}\r\n"
    async with site(lambda _: (200, headers, body)) as url:
        assert (await run_tool(webfetch.TOOL, tmp_path, url=url)).output == text


async def test_an_image(tmp_path: Path) -> None:
    async with site(lambda _: (200, "content-type: image/png\r\n", b"\x89PNG")) as url:
        result = await run_tool(webfetch.TOOL, tmp_path, url=url)
    (picture,) = result.attachments
    assert picture.mime == "image/png"
    assert base64.b64decode(picture.url.partition(",")[2]) == b"\x89PNG"


async def test_redirects_are_followed_but_not_for_ever(tmp_path: Path) -> None:
    def answer(head: str) -> Answer:
        if head.startswith("GET /there"):
            return html(head)
        target = "/loop" if head.startswith("GET /loop") else "/there"
        return 302, f"location: {target}\r\ncontent-length: 0\r\n", b""

    async with site(answer) as url:
        assert "# Heading" in (await run_tool(webfetch.TOOL, tmp_path, url=url)).output
        with pytest.raises(ToolError, match="redirects"):
            await run_tool(webfetch.TOOL, tmp_path, url=f"{url}/loop")


async def test_a_challenge_is_met_with_an_honest_name(tmp_path: Path) -> None:
    def answer(head: str) -> Answer:
        if "Mozilla" in head:
            return 403, "cf-mitigated: challenge\r\ncontent-length: 0\r\n", b""
        return html(head)

    async with site(answer) as url:
        assert "# Heading" in (await run_tool(webfetch.TOOL, tmp_path, url=url)).output


@pytest.mark.parametrize("declared", [True, False])
async def test_too_large(tmp_path: Path, declared: bool) -> None:
    body = b"x" * (webfetch.MAX_BYTES + 1)
    headers = f"content-length: {len(body)}\r\n" if declared else ""
    async with site(lambda _: (200, headers, body)) as url:
        with pytest.raises(ToolError, match="too large"):
            await run_tool(webfetch.TOOL, tmp_path, url=url)


async def test_what_can_go_wrong(tmp_path: Path) -> None:
    async with site(lambda head: None if "slow" in head else (404, "", b"")) as url:
        with pytest.raises(ToolError, match=rf"\(404 GET {url}/x\)"):
            await run_tool(webfetch.TOOL, tmp_path, url=f"{url}/x")
        with pytest.raises(ToolError, match="timed out"):
            await run_tool(webfetch.TOOL, tmp_path, url=f"{url}/slow", timeout=0.05)
    with pytest.raises(ToolError, match="Transport error"):
        await run_tool(webfetch.TOOL, tmp_path, url=f"{url}/gone")
    for wrong in ("ftp://example.com", "example.com", "file:///etc/passwd"):
        with pytest.raises(ToolError, match="must start with"):
            await run_tool(webfetch.TOOL, tmp_path, url=wrong)
    with pytest.raises(ToolError, match="Transport error"):
        await run_tool(webfetch.TOOL, tmp_path, url="http://[nonsense")


async def test_nothing_is_fetched_without_permission(tmp_path: Path) -> None:
    asked: list[str] = []
    host = ScriptedHost(refuse={"webfetch": PermissionDenied("no")})

    def answer(head: str) -> Answer:
        asked.append(head)
        return html(head)

    async with site(answer) as url:
        with pytest.raises(PermissionDenied):
            await run_tool(webfetch.TOOL, make_context(tmp_path, host), url=url)
    assert asked == []
