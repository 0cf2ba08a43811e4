"""``webfetch``: a page from the web, as Markdown, text, HTML or an image."""

import asyncio
import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from ostler.schema.base import Number
from ostler.schema.errors import ToolError
from ostler.tools.tool import Attachment, ToolContext, ToolResult, define

if TYPE_CHECKING:
    import httpx
    from bs4 import BeautifulSoup

MAX_BYTES = 5 * 1024 * 1024
DEFAULT_SECONDS, MAX_SECONDS = 30, 120
MAX_REDIRECTS = 10

Format = Literal["markdown", "text", "html"]


class Params(msgspec.Struct, kw_only=True):
    url: Annotated[str, msgspec.Meta(description="The http:// or https:// URL to fetch")]
    format: Annotated[
        Format, msgspec.Meta(description="What to return of an HTML page (default markdown)")
    ] = "markdown"
    timeout: (
        Annotated[
            Number,
            msgspec.Meta(
                description=f"Seconds to wait (default {DEFAULT_SECONDS}, at most {MAX_SECONDS})"
            ),
        ]
        | None
    ) = None


DESCRIPTION = f"""\
Fetches a URL and returns its content, HTML pages as Markdown unless another format is asked for.

- It only reads: nothing is sent but the request.
- Images come back as images. Other content is returned as it is.
- Pages above {MAX_BYTES // 2**20} MiB are refused.
- Where a tool of a connected service can do the same, prefer that one."""

# Sites serve a browser what they refuse a program; the values are OpenCode 1.18's.
_BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/143.0.0.0 Safari/537.36"
)
_PLAIN_AGENT = "ostler"
_ACCEPT: Mapping[Format, str] = {
    "markdown": "text/markdown;q=1.0, text/x-markdown;q=0.9, text/plain;q=0.8, text/html;q=0.7, "
    "*/*;q=0.1",
    "text": "text/plain;q=1.0, text/markdown;q=0.9, text/html;q=0.8, */*;q=0.1",
    "html": "text/html;q=1.0, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0.1",
}
_NO_PICTURES = ("image/svg+xml", "image/vnd.fastbidsheet")
_INVISIBLE = ("script", "style", "meta", "link", "noscript", "iframe", "object", "embed")


class Page(msgspec.Struct, frozen=True):
    """``content_type`` as the server sent it."""

    content_type: str
    body: bytes
    encoding: str

    @property
    def mime(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        return self.body.decode(self.encoding, "replace")


async def execute(params: Params, context: ToolContext) -> ToolResult:
    if not params.url.startswith(("http://", "https://")):
        raise ToolError("URL must start with http:// or https://")
    metadata = {"url": params.url, "format": params.format, "timeout": params.timeout}
    await context.host.ask("webfetch", [params.url], ["*"], metadata)
    page = await fetch(params.url, params.format, params.timeout or DEFAULT_SECONDS)
    title = f"{params.url} ({page.content_type})"
    if page.mime.startswith("image/") and page.mime not in _NO_PICTURES:
        encoded = base64.b64encode(page.body).decode("ascii")
        picture = Attachment(page.mime, f"data:{page.mime};base64,{encoded}")
        return ToolResult("Image fetched successfully", title, attachments=[picture])
    output = page.text
    if "html" in page.mime and params.format != "html":
        # A large page takes long enough to be felt by everyone else on the loop.
        convert = markdown if params.format == "markdown" else plain
        output = await asyncio.to_thread(convert, output)
    return ToolResult(output, title)


async def fetch(url: str, wanted: Format, seconds: float) -> Page:
    """Get a page. Raises ToolError for whatever stands in the way."""
    import httpx  # slow to load, and many sessions fetch nothing

    headers = {
        "user-agent": _BROWSER,
        "accept": _ACCEPT[wanted],
        "accept-language": "en-US,en;q=0.9",
    }
    try:
        async with (
            asyncio.timeout(max(0.001, min(seconds, MAX_SECONDS))),
            httpx.AsyncClient(
                follow_redirects=True, max_redirects=MAX_REDIRECTS, timeout=None
            ) as client,
        ):
            page = await _get(client, url, headers)
            if page is None:  # a challenge only browsers pass: say openly who asks
                page = await _get(client, url, {**headers, "user-agent": _PLAIN_AGENT})
            if page is None:
                raise ToolError(f"StatusCode: non 2xx status code (403 GET {url})")
            return page
    except TimeoutError:
        raise ToolError("Request timed out") from None
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise ToolError(f"Transport error (GET {url}): {e or type(e).__name__}") from None


async def _get(client: "httpx.AsyncClient", url: str, headers: dict[str, str]) -> Page | None:
    """None where the site wants a browser to prove itself."""
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 403 and response.headers.get("cf-mitigated") == "challenge":
            return None
        if not response.is_success:
            raise ToolError(f"StatusCode: non 2xx status code ({response.status_code} GET {url})")
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) > MAX_BYTES:
            raise ToolError("Response too large (exceeds 5MB limit)")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ToolError("Response too large (exceeds 5MB limit)")
        content_type = response.headers.get("content-type", "")
        return Page(content_type, bytes(body), _encoding(response))


def _encoding(response: "httpx.Response") -> str:
    """The declared character set where Python knows it."""
    import codecs

    try:
        return codecs.lookup(response.charset_encoding or "utf-8").name
    except LookupError:
        return "utf-8"


def markdown(html: str) -> str:
    """An HTML page as Markdown, without scripts and styles."""
    from markdownify import MarkdownConverter

    converter = MarkdownConverter(heading_style="ATX", bullets="-")
    return str(converter.convert_soup(_visible(html))).strip()


def plain(html: str) -> str:
    """The text of an HTML page."""
    return _visible(html).get_text().strip()


def _visible(html: str) -> "BeautifulSoup":
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for tag in soup(_INVISIBLE):
        tag.decompose()
    return soup


TOOL = define("webfetch", DESCRIPTION, Params, execute)
