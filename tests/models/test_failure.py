"""What providers' errors mean: which kind, worth another try, and after how long."""

import json
from email.utils import formatdate
from typing import Any

import pytest

from ostler.models import failure
from ostler.schema.errors import APIError, ContentFilterError, ContextOverflowError

URL = "https://models.example.com/v1"


def of(status: int, body: Any = "", headers: dict[str, str] | None = None) -> failure.ModelFailure:
    raw = body if isinstance(body, str) else json.dumps(body)
    return failure.from_response(status, headers or {}, raw.encode(), URL, "test")


@pytest.mark.parametrize(
    ("status", "message", "kind", "retryable"),
    [
        (401, "Incorrect API key provided", "auth", False),
        (403, "no access", "auth", False),
        (402, "", "quota", False),
        (429, "You exceeded your current quota", "quota", False),
        (429, "Rate limit reached for requests", "rate_limited", True),
        (529, "Overloaded", "overloaded", True),
        (503, "The engine is currently overloaded", "overloaded", True),
        (503, "maintenance", "unavailable", True),
        (500, "boom", "unavailable", True),
        (408, "", "timeout", True),
        (504, "", "timeout", True),
        (404, "The model does not exist", "invalid_request", False),
        (400, "tools: unsupported", "invalid_request", False),
        (400, "blocked by our content policy", "content_filter", False),
        (413, "", "context_overflow", False),
        (400, "This model's maximum context length is 8192 tokens", "context_overflow", False),
        (400, "prompt is too long: 210000 tokens > 200000", "context_overflow", False),
        (
            400,
            "Input token count (9) exceeds the maximum number",
            "context_overflow",
            False,
        ),
        (429, "Rate limit: too many tokens per minute", "rate_limited", True),
    ],
)
def test_kinds(status: int, message: str, kind: str, retryable: bool) -> None:
    found = of(status, {"error": {"message": message}})
    assert (found.kind, found.retryable) == (kind, retryable)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "told", "code": 1}},
        {"error": "told"},
        {"message": "told"},
        {"detail": "told"},
        [{"error": {"message": "told"}}],
    ],
)
def test_the_message_in_the_shapes_providers_use(body: Any) -> None:
    assert str(of(400, body)) == "told"


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        ("<html>x</html>", {"content-type": "text/html"}, "HTML page"),
        ("just text", {}, "just text"),
        ("", {}, "400"),
        ("[]", {}, "400"),
        ('{"error": null}', {}, "400"),
    ],
)
def test_answers_without_a_message(body: str, headers: dict[str, str], says: str) -> None:
    assert says in str(of(400, body, headers))


def test_what_an_error_carries() -> None:
    error = of(503, {"error": {"message": "busy"}}, {"x-request-id": "7"}).error
    assert isinstance(error, APIError)
    assert error.data.statusCode == 503
    assert error.data.isRetryable is True
    assert error.data.responseHeaders == {"x-request-id": "7"}
    assert error.data.metadata == {"url": URL, "kind": "unavailable"}
    assert isinstance(of(413).error, ContextOverflowError)
    assert isinstance(of(400, "content_filter").error, ContentFilterError)


def test_a_large_body_is_cut() -> None:
    error = of(400, "x" * 1_000_000).error
    assert isinstance(error, APIError)
    assert len(error.data.responseBody or "") == failure.BODY_LIMIT
    assert len(error.data.message) < 600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, 0.0),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert failure.retry_after(headers) == seconds


def test_a_date_to_wait_for() -> None:
    date = formatdate(4_000_000_000, usegmt=True)
    waiting = failure.retry_after({"retry-after": date})
    assert waiting is not None
    assert waiting > 1_000_000
    assert failure.retry_after({"retry-after": formatdate(0, usegmt=True)}) == 0


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"message": "Overloaded", "type": "overloaded_error"}, "overloaded"),
        ({"message": "slow down", "type": "rate_limit_error"}, "rate_limited"),
        ({"message": "Internal error", "code": 500}, "unavailable"),
        ({"message": "Invalid API key"}, "auth"),
        ({"message": "context_length_exceeded"}, "context_overflow"),
        ({"message": "no such field"}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
def test_errors_inside_a_stream(payload: dict[str, Any], kind: str) -> None:
    assert failure.from_stream(payload, URL).kind == kind
