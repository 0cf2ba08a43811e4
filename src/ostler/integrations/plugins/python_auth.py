"""The ``auth`` and ``provider`` hooks of plugins in Python, in the shape of the reference's:

::

    {"auth": {
        "provider": "acme",
        "methods": [{"type": "oauth", "label": "Acme account", "authorize": authorize}],
        "loader": loader,
    }}

``authorize(inputs)`` answers ``{"url", "instructions", "method": "auto" | "code", "callback"}``,
whose ``callback(code)`` (``callback()`` for ``auto``) answers ``{"type": "success", "access",
"refresh", "expires"}`` or ``{…, "key"}``. ``loader(stored, provider)`` answers the options
(``apiKey``, ``baseURL``, ``headers``); an option ``fetch`` sends the requests: it gets an
``HttpCall`` and answers an ``HttpAnswer`` (relay.py). ``await stored()`` is the credential.
"""

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ostler.integrations.plugins.plugin import (
    Fetch,
    HttpAnswer,
    HttpCall,
    Json,
    PluginError,
    PluginRefused,
)


class PythonMethod(msgspec.Struct, frozen=True):
    type: str
    label: str
    prompts: Sequence[Json] = ()
    authorize: bool = False


class PythonAuth:
    """See ``extension.Auths``. Raises PluginError for a hook of another shape."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self._methods = described.get("methods") or ()
        self._loader = described.get("loader")
        self._waiting: dict[int, Any] = {}
        try:
            self.provider = str(described["provider"])
            self.methods = [
                PythonMethod(m["type"], m["label"], _prompts(m), "authorize" in m)
                for m in self._methods
            ]
        except (KeyError, TypeError) as e:
            raise PluginError(
                f"auth needs provider, and methods with type and label: {e}"
            ) from None
        self.has_loader = callable(self._loader)

    async def authorize(self, method: int, inputs: dict[str, str] | None = None) -> Json:
        answer = await _called(self._methods[method]["authorize"], inputs or {})
        if not isinstance(answer, Mapping):
            raise PluginError(f"authorize answered {type(answer).__name__}, not a dict")
        handle = len(self._waiting) + 1
        self._waiting[handle] = answer.get("callback")
        return {**{k: v for k, v in answer.items() if k != "callback"}, "handle": handle}

    async def callback(self, handle: int, code: str | None = None) -> Json:
        function = self._waiting.pop(handle, None)
        if not callable(function):
            raise PluginError("authorize answered no callback")
        return dict(await _called(function, *([] if code is None else [code])))

    async def validate(self, method: int, prompt: int, value: str) -> str | None:
        wrong = await _called(self._methods[method]["prompts"][prompt]["validate"], value)
        return None if wrong is None else str(wrong)

    async def condition(self, method: int, prompt: int, inputs: dict[str, str]) -> bool:
        function = self._methods[method]["prompts"][prompt]["condition"]
        return bool(await _called(function, inputs))

    async def load(self, stored: Any, provider: Json) -> "PythonOptions":
        assert self._loader is not None
        options = await _called(self._loader, stored, provider)
        if options is not None and not isinstance(options, Mapping):
            raise PluginError(f"loader answered {type(options).__name__}, not a dict")
        return PythonOptions(options or {})


def _prompts(method: Mapping[str, Any]) -> list[Json]:
    """As they are told: for a function stands whether there is one."""
    return [
        {key: True if callable(value) else value for key, value in prompt.items()}
        for prompt in method.get("prompts") or ()
    ]


class PythonOptions:
    """See ``extension.Options``."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = {k: v for k, v in options.items() if k != "fetch"}
        self._fetch: Fetch | None = options.get("fetch")

    @property
    def has_fetch(self) -> bool:
        return self._fetch is not None

    async def fetch(self, call: HttpCall) -> HttpAnswer:
        assert self._fetch is not None
        answer: HttpAnswer = await _called(self._fetch, call)
        return answer


class PythonProvider:
    """See ``extension.Providers``."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self.id = str(described.get("id", ""))
        self._models = described.get("models")
        self.has_models = callable(self._models)

    async def models(self, provider: Json, auth: Json | None) -> Json:
        assert self._models is not None
        return dict(await _called(self._models, provider, {"auth": auth}))


async def _called(function: Any, *arguments: Any) -> Any:
    """Raises PluginRefused with what it raised."""
    try:
        if inspect.iscoroutinefunction(function):
            return await function(*arguments)
        answer = await asyncio.to_thread(function, *arguments)
        return await answer if inspect.isawaitable(answer) else answer
    except (Exception, SystemExit) as e:
        raise PluginRefused(f"{type(e).__name__}: {e}") from None
