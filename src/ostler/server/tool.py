"""The tools there are."""

from typing import Any

import msgspec

from ostler.engine.offer import offered_to
from ostler.server.operation import Context, operation
from ostler.tools.registry import BUILTIN, listed


class ToolQuery(msgspec.Struct):
    provider: str
    model: str


class ToolListItem(msgspec.Struct):
    id: str
    description: str
    parameters: dict[str, Any]


@operation("GET /experimental/tool/ids", "tool.ids", answer=list[str])
async def ids(context: Context) -> list[str]:
    instance = await context.instance()
    own = [name for name in instance.tools if name not in BUILTIN]
    return [*(name for name in listed(instance.environment) if name in instance.tools), *own]


@operation(
    "GET /experimental/tool",
    "tool.list",
    query=ToolQuery,
    answer=list[ToolListItem],
    errors=(404,),
)
async def list_tools(context: Context) -> list[ToolListItem]:
    """As the default agent would be offered them with this model."""
    instance = await context.instance()
    await instance.models.open()
    query: ToolQuery = context.query
    model = instance.models.get(query.provider, query.model)
    tools = offered_to(instance, instance.default_agent(), model)
    return [ToolListItem(t.id, t.description, t.parameters) for t in tools.values()]
