"""How a model call fails: one exception with a kind, made in one place from what was observed.

The kinds, and what the engine does with each:

    auth              the credential is missing or refused       ends the turn
    rate_limited      too many requests, for now                 retried, retry-after honoured
    quota             the account is used up                     ends the turn
    overloaded        the provider says it is busy               retried
    unavailable       5xx, no connection, connection lost        retried
    timeout           no headers or no bytes for too long        retried
    context_overflow  the conversation does not fit              compaction
    content_filter    the provider refused the content           ends the turn
    invalid_request   the provider rejects the request as such   ends the turn
    bad_stream        bytes that are not the protocol            retried
    empty             neither text nor a tool call               retried
"""

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from ostler.schema.errors import (
    APIError,
    APIErrorData,
    AuthData,
    ContentFilterError,
    ContextOverflowError,
    MessageData,
    MessageError,
    OverflowData,
    ProviderAuthError,
    TurnError,
)
from ostler.transport import TransportError

Kind = Literal[
    "auth",
    "rate_limited",
    "quota",
    "overloaded",
    "unavailable",
    "timeout",
    "context_overflow",
    "content_filter",
    "invalid_request",
    "bad_stream",
    "empty",
]

RETRYABLE: frozenset[Kind] = frozenset(
    ("rate_limited", "overloaded", "unavailable", "timeout", "bad_stream", "empty")
)
BODY_LIMIT = 16_384
"""Characters of a response body that an error keeps."""


class ModelFailure(TurnError):
    """``retry_after``: seconds the provider asked to wait, None when it did not say."""

    def __init__(self, kind: Kind, error: MessageError, retry_after: float | None = None) -> None:
        super().__init__(error)
        self.kind = kind
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        return self.kind in RETRYABLE


# The providers' ways of saying that a conversation is too long (OpenCode 1.18's list, as ideas).
_OVERFLOW = re.compile(
    r"prompt is too long|prompt too long|request_too_large|request entity too large"
    r"|input is too long for requested model|exceeds? the context window"
    r"|exceeds? (the )?(model'?s )?maximum context length"
    r"|input token count.*exceeds? the maximum|tokens in request more than max tokens allowed"
    r"|maximum prompt length is \d+|reduce the length of the (messages|prompt)"
    r"|maximum context length is [\d,]+ tokens|exceeds? (the )?maximum allowed input length"
    r"|input \([\d,]+ tokens\) is longer than the model'?s context length"
    r"|exceeds? the limit of \d+|exceeds? the available context size"
    r"|greater than the context length|context window exceeds? limit"
    r"|exceeded model token limit|context[_ ]length[_ ]exceeded|context length is only \d+ tokens"
    r"|input length.*exceeds?.*context length|exceeded (max )?context length"
    r"|too large for model with \d+ maximum context length"
    r"|prompt has \d+ tokens, but the configured context size is"
    r"|model_context_window_exceeded|too many tokens|token limit exceeded"
    r"|^(400|413) \(no body\)",
    re.IGNORECASE | re.DOTALL,
)
_NOT_OVERFLOW = re.compile(
    r"^(throttling error:|service unavailable:)|rate.?limit|too many requests", re.IGNORECASE
)
_QUOTA = re.compile(
    r"insufficient_quota|insufficient (balance|credit|funds)|exceeded your current quota"
    r"|usage_not_included|billing|credit balance is too low|payment required|out of credits",
    re.IGNORECASE,
)
_OVERLOADED = re.compile(
    r"overloaded|at capacity|server_is_overloaded|resource.?exhausted|try again later",
    re.IGNORECASE,
)
_RATE = re.compile(r"rate.?limit|too many requests|tokens per min|requests per min", re.IGNORECASE)
_FILTER = re.compile(
    r"content.?(filter|policy|management)|safety (system|settings)|blocked by .*policy"
    r"|responsible ai",
    re.IGNORECASE,
)
_AUTH = re.compile(
    r"(invalid|incorrect|missing|no|expired) (x-)?api.?key|unauthorized|authentication"
    r"|not authenticated|permission.?denied",
    re.IGNORECASE,
)
_TRANSIENT = re.compile(
    r"server.?error|internal error|service unavailable|provider returned error|timed? ?out"
    r"|temporar|connection (reset|refused|lost)|network error|bad gateway",
    re.IGNORECASE,
)


def from_response(
    status: int, headers: Mapping[str, str], body: bytes, url: str, provider_id: str
) -> ModelFailure:
    """The failure an HTTP error answer means. ``headers`` have lower-case names."""
    text = body[: BODY_LIMIT * 4].decode("utf-8", "replace")[:BODY_LIMIT]
    message, code = _message_of(text)
    if not message:
        message = _plain(status, headers, text)
    kind = _kind_of_status(status, message, code)
    return _failure(
        kind,
        message,
        status=status,
        headers=dict(headers),
        body=text,
        url=url,
        retry_after=retry_after(headers),
    )


def from_stream(payload: Mapping[str, Any], url: str) -> ModelFailure:
    """The failure an error object inside a stream means: ``{message, code|type|status}``."""
    message = str(payload.get("message") or payload.get("error") or "the provider sent an error")
    code = " ".join(str(payload[k]) for k in ("code", "type", "status") if payload.get(k))
    status = payload.get("code") if isinstance(payload.get("code"), int) else None
    kind = _kind_of_status(status or 0, message, code)
    return _failure(kind, message, status=status, body=_short_json(payload), url=url)


def unavailable(message: str, url: str) -> ModelFailure:
    """A stream that broke."""
    return _failure("unavailable", message, url=url)


def from_transport(error: TransportError) -> ModelFailure:
    return _failure(error.kind, str(error), url=error.url)


def bad_stream(message: str, url: str, body: str | None = None) -> ModelFailure:
    return _failure("bad_stream", message, url=url, body=body)


def empty(url: str) -> ModelFailure:
    return _failure("empty", "The model answered with neither text nor a tool call.", url=url)


def invalid_request(message: str, url: str = "") -> ModelFailure:
    return _failure("invalid_request", message, url=url)


def missing_credential(provider_id: str, message: str) -> ModelFailure:
    """Known before the call: there is no key to send."""
    return ModelFailure(
        "auth", ProviderAuthError(data=AuthData(providerID=provider_id, message=message))
    )


def content_filtered(
    message: str = "The provider's content filter stopped the answer.",
) -> ModelFailure:
    return ModelFailure("content_filter", ContentFilterError(data=MessageData(message=message)))


def without(failed: ModelFailure, secrets: Iterable[str]) -> ModelFailure:
    """The failure with ``***`` wherever it repeats a secret."""
    text = msgspec.json.encode(failed.error).decode()
    masked = text
    for secret in secrets:
        masked = masked.replace(msgspec.json.encode(secret).decode()[1:-1], "***")
    if masked == text:
        return failed
    error = msgspec.json.decode(masked, type=type(failed.error))
    return ModelFailure(failed.kind, error, failed.retry_after)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: ``retry-after-ms``, else ``retry-after`` in seconds or as a date."""
    ms = headers.get("retry-after-ms", "").strip()
    if ms:
        try:
            return max(0.0, float(ms) / 1000)
        except ValueError:
            pass
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    import email.utils

    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def is_overflow(message: str) -> bool:
    return bool(_OVERFLOW.search(message)) and not _NOT_OVERFLOW.search(message)


def _kind_of_status(status: int, message: str, code: str) -> Kind:
    text = f"{message} {code}"
    if status == 413 or (status != 429 and is_overflow(text)):
        return "context_overflow"
    if status == 402 or (_QUOTA.search(text) and status in (0, 400, 403, 429)):
        return "quota"
    if status in (401, 403):
        return "auth"
    if status == 529 or (status in (0, 200, 429, 503) and _OVERLOADED.search(text)):
        return "overloaded"
    if status == 429 or (status in (0, 200) and _RATE.search(text)):
        return "rate_limited"
    if status == 408 or status == 504 or status == 524:
        return "timeout"
    if status >= 500:
        return "unavailable"
    if status in (0, 200):
        return _kind_of_text(text)
    if _FILTER.search(text):
        return "content_filter"
    return "invalid_request"


def _kind_of_text(text: str) -> Kind:
    """An error without a telling status, as streams carry them."""
    if _FILTER.search(text):
        return "content_filter"
    if _AUTH.search(text):
        return "auth"
    if _TRANSIENT.search(text):
        return "unavailable"
    return "invalid_request"


def _failure(
    kind: Kind,
    message: str,
    *,
    url: str,
    status: int | None = None,
    headers: dict[str, str] | None = None,
    body: str | None = None,
    retry_after: float | None = None,
) -> ModelFailure:
    error: MessageError
    if kind == "context_overflow":
        error = ContextOverflowError(data=OverflowData(message=message, responseBody=body))
    elif kind == "content_filter":
        error = ContentFilterError(data=MessageData(message=message))
    else:
        error = APIError(
            data=APIErrorData(
                message=message,
                isRetryable=kind in RETRYABLE,
                statusCode=status or None,
                responseHeaders=headers,
                responseBody=body,
                metadata={"url": url, "kind": kind} if url else {"kind": kind},
            )
        )
    return ModelFailure(kind, error, retry_after)


def _message_of(body: str) -> tuple[str, str]:
    """(message, code) out of the shapes providers use: {error: {message, code}}, {error: text},
    {message}, {detail}, or a list of one of these (Gemini)."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "", ""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return "", ""
    error = value.get("error", value)
    if isinstance(error, str):
        return error, str(value.get("code") or "")
    if not isinstance(error, dict):
        error = value
    message = error.get("message") or error.get("detail") or value.get("message") or ""
    codes = (error.get("code"), error.get("type"), error.get("status"))
    return _as_text(message), " ".join(str(c) for c in codes if c)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _short_json(value)


def _short_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:BODY_LIMIT]


def _plain(status: int, headers: Mapping[str, str], body: str) -> str:
    """A sentence for an answer that is no JSON: a gateway's HTML page, a bare text, nothing."""
    if not body.strip():
        return f"{status} (no body)"
    if "html" in headers.get("content-type", "") or body.lstrip()[:1] == "<":
        hint = {
            401: " Check the API key; a gateway or proxy may be asking for its own sign-in.",
            403: " A gateway, proxy or firewall may be refusing the request.",
        }.get(status, " The base URL may not be an API endpoint.")
        return f"{status}: the server answered with an HTML page.{hint}"
    return f"{status}: {body.strip()[:500]}"
