"""``todoread``: the session's to-do list. Ostler's addition, offered only where it is turned on."""

import msgspec

from ostler.tools.todowrite import todo_result
from ostler.tools.tool import ToolContext, ToolResult, define


class Params(msgspec.Struct, kw_only=True):
    pass


DESCRIPTION = """\
Shows the session's to-do list as JSON. Look at it before you go on with work that was planned \
earlier, and when you are not sure what is left."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    await context.host.ask("todoread", ["*"], ["*"], {})
    return todo_result(context.host.todos())


TOOL = define("todoread", DESCRIPTION, Params, execute)
