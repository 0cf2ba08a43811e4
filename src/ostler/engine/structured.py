"""Structured output: a tool whose only use is to receive the answer in the caller's shape."""

from typing import Any

from ostler.tools.tool import Tool, ToolContext, ToolResult

TOOL_ID = "StructuredOutput"
DESCRIPTION = (
    "Give your final answer by calling this tool once, when the work is done. "
    "The arguments are the answer and must match the schema."
)


class Capture:
    """The tool for one schema, and what was given to it. ``valid`` once it was called."""

    def __init__(self, schema: dict[str, Any]) -> None:
        parameters = {k: v for k, v in schema.items() if k != "$schema"}
        self.value: Any = None
        self.valid = False
        self.tool = Tool(TOOL_ID, DESCRIPTION, self._run, lambda: parameters)

    async def _run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        self.value, self.valid = arguments, True
        return ToolResult(
            title="Structured Output",
            output="Structured output captured successfully.",
            metadata={"valid": True, "truncated": False},
        )
