"""The rehearsal model: a deterministic stand-in for when no real model is connected.

It follows rules, not a network of weights: it understands short imperative English (see GRAMMAR)
and answers with real tool calls, so that everything around a model can be tried, tested and
demonstrated without a key. It says plainly what it is.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from ostler import ids
from ostler.models.delta import Delta, Finish, TextDelta, TextEnd, ToolCall, ToolStart, Usage
from ostler.models.registry import REHEARSAL
from ostler.models.request import ChatMessage, ModelRequest, TextBlock, ToolResultBlock
from ostler.schema.provider import (
    CacheCost,
    Modalities,
    Model,
    ModelApi,
    ModelCapabilities,
    ModelCost,
    ModelLimit,
    Provider,
)

PROVIDER_ID = MODEL_ID = REHEARSAL

GRAMMAR = (
    "create FILE containing TEXT",
    "replace A with B in FILE",
    "run COMMAND",
    "find TEXT",
    "read FILE",
    "list FOLDER",
)

WHAT_I_AM = (
    "I am the rehearsal model, not an AI: a set of rules that ships with Ostler so that you can "
    "try it without a key."
)
HOW_TO_CONNECT = (
    "To connect a real model, set its provider's key (such as ANTHROPIC_API_KEY), keep one with "
    "`ostler auth login`, or start a local server such as Ollama or LM Studio."
)


def provider() -> Provider:
    modalities = Modalities(text=True, audio=False, image=False, video=False, pdf=False)
    model = Model(
        id=MODEL_ID,
        providerID=PROVIDER_ID,
        api=ModelApi(id=MODEL_ID, url="", npm="ostler/rehearsal"),
        name="Rehearsal (not an AI)",
        capabilities=ModelCapabilities(
            temperature=False,
            reasoning=False,
            attachment=False,
            toolcall=True,
            input=modalities,
            output=modalities,
            interleaved=False,
        ),
        cost=ModelCost(input=0, output=0, cache=CacheCost(read=0, write=0)),
        limit=ModelLimit(context=0, output=0),
        status="active",
        options={},
        headers={},
        release_date="",
    )
    return Provider(
        id=PROVIDER_ID,
        name="Rehearsal",
        source="custom",
        env=[],
        options={},
        models={MODEL_ID: model},
    )


class Rehearsal:
    """The wire of the rehearsal model; nothing leaves the process."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        answer = respond(request)
        usage = _usage(request, answer)
        if isinstance(answer, Action):
            call_id = ids.new("tool").replace("tool_", "call_", 1)
            arguments = msgspec.json.encode(answer.arguments).decode()
            yield [ToolStart(call_id, answer.tool)]
            yield [ToolCall(call_id, answer.tool, arguments), Finish("tool-calls", usage)]
            return
        for piece in re.findall(r"\S+\s*|\s+", answer):
            yield [TextDelta("text", piece)]
        yield [TextEnd("text"), Finish("stop", usage)]


class Action(msgspec.Struct, frozen=True):
    """One tool call; ``tool`` is its id."""

    tool: str
    arguments: dict[str, Any]


def respond(request: ModelRequest) -> Action | str:
    """The next tool call the conversation asks for, or the closing text."""
    prompt, done = _situation(request.messages)
    tools = {tool.name: tool for tool in request.tools}
    if "StructuredOutput" in tools and request.tool_choice == "required":
        return Action("StructuredOutput", _example(tools["StructuredOutput"].parameters))
    if not tools:
        return _headline(prompt)
    actions, unknown = plan(prompt)
    if not actions:
        return _introduction(unknown)
    if done and done[-1].failed:
        return f"Step {len(done)} failed, so I stopped:\n\n{_excerpt(done[-1].output)}"
    if len(done) < len(actions):
        action = actions[len(done)]
        if action.tool not in tools:
            return (
                f"Step {len(done) + 1} needs the {action.tool} tool, which is not available here."
            )
        return action
    return _report(actions, done, unknown)


def plan(prompt: str) -> tuple[list[Action], list[str]]:
    """The actions a prompt asks for, in order, and the sentences that were not understood."""
    actions: list[Action] = []
    unknown: list[str] = []
    for sentence in _sentences(prompt):
        action = _action(sentence)
        if action is None:
            unknown.append(sentence)
        else:
            actions.append(action)
    return actions, unknown


# ── understanding ─────────────────────────────────────────────────────────────────────────────

_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|```[\s\S]*?```)"""
_VALUE = rf"({_QUOTED}|\S+)"
_REST = rf"({_QUOTED}|.+?)"
_RULES: list[tuple[str, "re.Pattern[str]"]] = [
    (
        "create",
        re.compile(
            rf"(?:create|write|make|add)\s+(?:a\s+|the\s+)?(?:file\s+)?{_VALUE}\s+"
            rf"(?:containing|with(?:\s+the)?(?:\s+(?:content|contents|text))?|that\s+says|saying)"
            rf":?\s+{_REST}",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    (
        "replace",
        re.compile(
            rf"(?:replace|change)\s+{_REST}\s+(?:with|to|by)\s+{_REST}\s+in\s+{_VALUE}",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    ("run", re.compile(rf"(?:run|execute)\s+{_REST}", re.IGNORECASE | re.DOTALL)),
    (
        "find",
        re.compile(
            rf"(?:find|search\s+for|search|grep)\s+{_REST}(?:\s+in\s+{_VALUE})?",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    ("list", re.compile(rf"(?:list|ls)(?:\s+(?:files\s+in\s+|the\s+)?{_VALUE})?", re.IGNORECASE)),
    (
        "read",
        re.compile(rf"(?:read|show|open|print)\s+(?:the\s+)?(?:file\s+)?{_VALUE}", re.IGNORECASE),
    ),
]


def _sentences(prompt: str) -> list[str]:
    """Split at "then", ";" and line ends, but never inside quotes."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"\0{len(held) - 1}\0"

    text = prompt.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':  # `run "…"` sends the quotes along
        text = text[1:-1].replace('\\"', '"')
    text = re.sub(_QUOTED, hold, text)
    pieces = re.split(r"(?:,?\s*\b(?:and\s+)?then\b,?\s*|\s*[;\n]+\s*)", text, flags=re.IGNORECASE)
    restored = (re.sub(r"\0(\d+)\0", lambda m: held[int(m[1])], p) for p in pieces)
    return [p.strip().removesuffix(".").strip() for p in restored if p.strip(" .\n")]


def _action(sentence: str) -> Action | None:
    sentence = re.sub(r"^(please|now|finally|first|and)[,\s]+", "", sentence, flags=re.IGNORECASE)
    for verb, rule in _RULES:
        match = rule.fullmatch(sentence)
        if match is None:
            continue
        values = [_unquote(v) if v is not None else None for v in match.groups()]
        return _tool_call(verb, values)
    return None


def _tool_call(verb: str, values: list[str | None]) -> Action:
    first = values[0] or ""
    if verb == "create":
        content = values[1] or ""
        return Action(
            "write",
            {"filePath": first, "content": content if content.endswith("\n") else content + "\n"},
        )
    if verb == "replace":
        return Action(
            "edit",
            {"filePath": values[2] or "", "oldString": first, "newString": values[1] or ""},
        )
    if verb == "run":
        return Action("bash", {"command": first})
    if verb == "find":
        where = {"path": values[1]} if values[1] else {}
        return Action("grep", {"pattern": re.escape(first).replace(r"\ ", " "), **where})
    return Action("read", {"filePath": first or "."})


def _unquote(value: str) -> str:
    if value.startswith("```"):
        return re.sub(r"^```[^\n]*\n?|\n?```$", "", value)
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'`":
        inner = value[1:-1]
        if value[0] == "`":
            return inner
        escapes = {"n": "\n", "t": "\t"}
        return re.sub(r"\\(.)", lambda m: escapes.get(m[1], m[1]), inner)
    return value


def _situation(messages: Sequence[ChatMessage]) -> tuple[str, list[ToolResultBlock]]:
    """The last thing the user said, and the tool results since."""
    prompt = ""
    done: list[ToolResultBlock] = []
    for message in messages:
        if message.role == "user":
            texts = [b.text for b in message.content if isinstance(b, TextBlock)]
            spoken = [t for t in texts if not t.lstrip().startswith("<system-reminder>")]
            if spoken:
                prompt, done = spoken[0], []
        elif message.role == "tool":
            done.extend(b for b in message.content if isinstance(b, ToolResultBlock))
    return prompt, done


# ── answering ─────────────────────────────────────────────────────────────────────────────────


def _introduction(unknown: list[str]) -> str:
    lines = [WHAT_I_AM, ""]
    if unknown:
        lines += [f'I did not understand "{_excerpt(unknown[0], 80)}".', ""]
    lines += ["I understand these, joined by `then`:", ""]
    lines += [f"- {form}" for form in GRAMMAR]
    lines += ["", HOW_TO_CONNECT]
    return "\n".join(lines)


def _report(actions: list[Action], done: list[ToolResultBlock], unknown: list[str]) -> str:
    lines = [f"Done: {len(actions)} step{'s' if len(actions) > 1 else ''}."]
    outputs = [r for r in done if r.name == "bash" and r.output.strip()]
    if outputs:
        lines += ["", "The last command printed:", "", "```", _excerpt(outputs[-1].output), "```"]
    lines += [f'\nI did not understand "{_excerpt(u, 80)}" and left it out.' for u in unknown]
    lines += ["", f"{WHAT_I_AM} {HOW_TO_CONNECT}"]
    return "\n".join(lines)


def _headline(prompt: str) -> str:
    """A title, for requests without tools."""
    words = re.sub(r"\s+", " ", prompt).strip(" \"'")
    if not words:
        return "Rehearsal"
    return words if len(words) <= 50 else words[:49].rsplit(" ", 1)[0] + "…"


def _excerpt(text: str, limit: int = 600) -> str:
    text = text.strip()
    return text if len(text) <= limit else text[:limit] + "…"


def _example(schema: dict[str, Any]) -> Any:
    """The plainest value a JSON Schema admits, for the usual keywords."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _example(schema[key][0])
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {
            k: _example(properties.get(k, {"type": "string"})) for k in schema.get("required", ())
        }
    if kind == "array":
        return [_example(schema.get("items", {}))] * int(schema.get("minItems", 0))
    if kind in ("number", "integer"):
        return max(0, schema.get("minimum", 0))
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    return "rehearsal".ljust(int(schema.get("minLength", 0)), ".")[: schema.get("maxLength", 99)]


def _usage(request: ModelRequest, answer: Action | str) -> Usage:
    """Four characters a token, the estimate used everywhere where nobody counts."""
    asked = sum(
        len(b.text) if isinstance(b, TextBlock) else len(b.output)
        for m in request.messages
        for b in m.content
        if isinstance(b, TextBlock | ToolResultBlock)
    )
    answered = len(answer) if isinstance(answer, str) else len(str(answer.arguments))
    return Usage(input=asked // 4, output=answered // 4, total=asked // 4 + answered // 4)
