"""Errors at the command line: one sentence on stderr, and an exit code that says which kind.

0  the turn ended well
1  something unexpected; see the log
2  usage: a bad flag, a missing file, an unknown session, agent, model or command
3  the configuration cannot be used
4  the provider refused the credential, or the account is used up
5  the provider could not be reached, or not in time, or kept failing
6  the context, the output limit, a budget or the disk was exceeded
7  the provider refused the request or its content
8  a permission or question was rejected, and that ended the turn
9  the turn was aborted
10 the answer did not come in the shape that was asked for
130 interrupted by Ctrl+C
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OK, UNEXPECTED, USAGE, CONFIG, CREDENTIAL, PROVIDER, LIMIT, REFUSED, REJECTED, ABORTED, SHAPE = (
    range(11)
)
INTERRUPTED = 130

_KINDS = {
    "auth": CREDENTIAL,
    "quota": CREDENTIAL,
    "rate_limited": PROVIDER,
    "overloaded": PROVIDER,
    "unavailable": PROVIDER,
    "timeout": PROVIDER,
    "bad_stream": PROVIDER,
    "empty": PROVIDER,
    "context_overflow": LIMIT,
    "content_filter": REFUSED,
    "invalid_request": REFUSED,
}
_NAMES = {
    "ProviderAuthError": CREDENTIAL,
    "MessageAbortedError": ABORTED,
    "ContextOverflowError": LIMIT,
    "BudgetExceededError": LIMIT,
    "DiskFullError": LIMIT,
    "MessageOutputLengthError": LIMIT,
    "ContentFilterError": REFUSED,
    "StructuredOutputError": SHAPE,
}


def exit_code(error: dict[str, Any]) -> int:
    """The code for an error as the API writes it: {name, data}."""
    data = error.get("data") or {}
    kind = (data.get("metadata") or {}).get("kind")
    if kind in _KINDS:
        return _KINDS[kind]
    if error["name"] == "APIError":
        status = data.get("statusCode") or 0
        if status in (401, 402, 403):
            return CREDENTIAL
        return PROVIDER if data.get("isRetryable") or status >= 500 else REFUSED
    return _NAMES.get(error["name"], UNEXPECTED)


class Stop(Exception):
    """End the program with a message and a code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def reported() -> Iterator[None]:
    """Turn errors into a sentence and an exit code."""
    from ostler.schema.errors import ConfigError, DiskFull, DiskLow, OstlerError, RequestError

    try:
        yield
    except Stop as e:
        _say(str(e))
        sys.exit(e.code)
    except ConfigError as e:
        _say(str(e))
        sys.exit(CONFIG)
    except (DiskLow, DiskFull) as e:
        _say(str(e))
        sys.exit(LIMIT)
    except RequestError as e:
        _say(str(e))
        sys.exit(USAGE)
    except (OstlerError, OSError) as e:
        _say(str(e))
        sys.exit(UNEXPECTED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _say(message: str) -> None:
    if message:
        prefix = "\033[31mError:\033[0m" if sys.stderr.isatty() else "Error:"
        print(f"{prefix} {message}", file=sys.stderr)
