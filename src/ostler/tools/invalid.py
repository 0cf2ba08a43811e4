"""``invalid``: what a call becomes whose tool does not exist or whose arguments are not JSON. It is
never offered to a model."""

import msgspec

from ostler.tools.tool import ToolContext, ToolResult, define


class Params(msgspec.Struct, kw_only=True):
    tool: str
    error: str


async def execute(params: Params, context: ToolContext) -> ToolResult:
    return ToolResult(
        f"The arguments provided to the tool are invalid: {params.error}", "Invalid Tool"
    )


TOOL = define("invalid", "Do not use", Params, execute)
