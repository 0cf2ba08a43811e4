"""Calls of the host's tools, and what a tool asks of the engine while it runs."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.integrations.plugins.plugin import Json, PluginError, PluginTool, ToolCall
from ostler.integrations.plugins.rpc import Refusal, Thrown
from ostler.schema.errors import ToolError

if TYPE_CHECKING:
    from ostler.integrations.plugins.host import PluginHost


class Calls:
    """The calls that run, by number."""

    def __init__(self, host: "PluginHost") -> None:
        self._host = host
        self._calls: dict[int, ToolCall] = {}
        self._refusals: dict[int, Exception] = {}
        self._numbers = itertools.count(1)

    def tools(self, where: Json, described: Sequence[Json]) -> list[PluginTool]:
        """Tools as the host told of them; ``where`` says whose: ``{plugin}`` or ``{file}``."""
        return [self._tool(where, one) for one in described]

    def _tool(self, where: Json, described: Json) -> PluginTool:
        name: str = described["id"]

        async def run(args: Json, call: ToolCall) -> Any:
            number = next(self._numbers)
            self._calls[number] = call
            params = {
                **where,
                "id": name,
                "call": number,
                "args": args,
                "context": {
                    "sessionID": call.session_id,
                    "messageID": call.message_id,
                    "callID": call.call_id,
                    "agent": call.agent,
                    "directory": call.directory,
                    "worktree": call.worktree,
                },
            }
            try:
                return result_of(await self._run(number, params, call.aborted))
            except Thrown as e:
                refused = self._refusals.get(e.data.get("refusal", 0))
                raise (refused or ToolError(str(e))) from None
            except PluginError as e:
                raise ToolError(f"{name}: {e}") from None
            finally:
                del self._calls[number]
                self._refusals.pop(number, None)

        return PluginTool(
            id=name,
            description=described["description"],
            parameters=described["parameters"],
            run=run,
        )

    async def _run(self, number: int, params: Json, aborted: asyncio.Event) -> Any:
        peer = await self._host.peer()

        async def abort() -> None:
            await aborted.wait()
            peer.notify("tool.abort", {"call": number})

        watch = self._host.task(abort())
        try:
            return await self._host.watched(peer.call("tool.run", params))
        except asyncio.CancelledError:
            peer.notify("tool.abort", {"call": number})
            raise
        finally:
            watch.cancel()

    def show(self, params: Json) -> None:
        call = self._calls.get(params["call"])
        if call is None:
            return
        title, metadata = params.get("title"), params.get("metadata")
        call.show(
            title if isinstance(title, str) else None,
            metadata if isinstance(metadata, dict) else None,
        )

    async def ask(self, params: Json) -> None:
        """Raises Refusal with what the engine raised; the call itself raises that again."""
        number = params["call"]
        call = self._calls.get(number)
        if call is None:
            raise Refusal("this call has ended", {})
        try:
            await call.ask(
                params["permission"], params["patterns"], params["always"], params["metadata"]
            )
        except Exception as e:
            self._refusals[number] = e
            raise Refusal(str(e), {"refusal": number}) from None


def result_of(value: Any) -> Any:
    """What a tool returned, as a string or ``{output, title?, metadata?, attachments?}``."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or "output" not in value:
        return msgspec.json.encode(value).decode()
    output = value["output"]
    result: Json = {"output": output if isinstance(output, str) else result_of(output)}
    if isinstance(value.get("title"), str):
        result["title"] = value["title"]
    if isinstance(value.get("metadata"), dict):
        result["metadata"] = value["metadata"]
    if isinstance(value.get("attachments"), list):
        result["attachments"] = [a for a in value["attachments"] if isinstance(a, dict)]
    return result
