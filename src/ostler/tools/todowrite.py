"""``todowrite``: replaces the session's to-do list."""

from typing import Annotated

import msgspec

from ostler.schema.session import Todo
from ostler.tools.tool import ToolContext, ToolResult, define


class Item(msgspec.Struct, kw_only=True):
    content: Annotated[str, msgspec.Meta(description="What is to be done, in a few words")]
    status: Annotated[str, msgspec.Meta(description="pending, in_progress, completed or cancelled")]
    priority: Annotated[str, msgspec.Meta(description="high, medium or low")]


class Params(msgspec.Struct, kw_only=True):
    todos: Annotated[list[Item], msgspec.Meta(description="The whole list as it is to be")]


DESCRIPTION = """\
Keeps the list of what is to be done in this session, which the user can see. Each call replaces \
the whole list.

Use it for work of three steps or more, for several requests at once, or when asked to plan; not \
for a single simple step or a question. Put one item in_progress before working on it, mark it \
completed as soon as it is really done (not while tests fail or parts are missing), add what you \
find on the way, and set what is no longer needed to cancelled."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    await context.host.ask("todowrite", ["*"], ["*"], {})
    todos = [Todo(item.content, item.status, item.priority) for item in params.todos]
    context.host.set_todos(todos)
    return todo_result(todos)


TOOL = define("todowrite", DESCRIPTION, Params, execute)


def todo_result(todos: list[Todo]) -> ToolResult:
    """The list as JSON; the title counts what is not completed."""
    plain = msgspec.to_builtins(todos)
    output = msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()
    left = sum(todo.status != "completed" for todo in todos)
    return ToolResult(output, f"{left} todos", {"todos": plain})
