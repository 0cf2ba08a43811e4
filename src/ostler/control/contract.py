"""What an answer must be: JSON that satisfies a stage's schema."""

import re
from typing import Any

import msgspec

from ostler.control.failures import Failure
from ostler.schema.base import JsonObject

MOST_ERRORS = 5
SHOWN = 2_000
_FENCED = re.compile(r"^```(?:json)?[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


def parsed(text: str) -> Any:
    """The JSON of an answer: all of it, else its last fenced block, else from its first brace or
    bracket to the last. Raises ValueError."""
    blocks = _FENCED.findall(text)
    starts = [i for i in (text.find("{"), text.find("[")) if i >= 0]
    ends = max(text.rfind("}"), text.rfind("]"))
    between = text[min(starts) : ends + 1] if starts and ends > min(starts) else ""
    problem = "it is empty"
    for candidate in (text, *blocks[-1:], between):
        if candidate.strip():
            try:
                return msgspec.json.decode(candidate.strip())
            except msgspec.DecodeError as e:
                problem = str(e)
    raise ValueError(problem)


def checked(text: str, structured: Any, contract: JsonObject) -> tuple[Any, Failure | None]:
    """(the value, None), or (what was there, why it will not do). ``structured`` is the answer's
    own value, where the server made one."""
    value = structured
    if value is None:
        try:
            value = parsed(text)
        except ValueError as e:
            return None, Failure(
                "assistant_output_not_json",
                f"the answer is not JSON: {e}",
                {"text": text[-SHOWN:]},
            )
    problems = violations(value, contract)
    if problems:
        message = "the answer does not satisfy the contract: " + "; ".join(problems)
        return value, Failure("contract_violation", message, {"value": value})
    return value, None


def violations(value: Any, contract: JsonObject) -> list[str]:
    """What is wrong with a value, each with its place; the first few."""
    import jsonschema_rs

    found = []
    for error in jsonschema_rs.validator_for(contract).iter_errors(value):
        place = "/".join(str(step) for step in error.instance_path)
        found.append(f"{place}: {error.message}" if place else error.message)
        if len(found) == MOST_ERRORS:
            break
    return found


def instructions(contract: JsonObject, stricter: bool = False) -> str:
    """What the model is told of the contract, at the end of the prompt."""
    schema = msgspec.json.format(msgspec.json.encode(contract), indent=2).decode()
    again = (
        "\nYour last answer could not be read as JSON. Write the JSON value and nothing else: no "
        "sentence before it or after it, no fence around it."
        if stricter
        else ""
    )
    return (
        "When you are done, answer with one JSON value that satisfies this JSON Schema, and with "
        f"nothing else.{again}\n\n```json\n{schema}\n```"
    )
