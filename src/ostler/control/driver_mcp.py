"""The driver's commands as tools of an MCP server, for other agents."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from ostler.control.driver import Driver

INSTRUCTIONS = """\
Drives a coding-agent server one task at a time. Call check first (start=true starts a server). One
task is one send without a session_id; its answer is in "text". Every answer has "ok"; where it is
false, "failure" has a "kind" and a sentence. Do not send again to a session that failed: send anew.
For long work use send_async, then status with wait."""


def mcp_server(driver: "Driver") -> "MCPServer[Any]":
    """The nine commands; a failure is an answer with ``ok`` false, not an error of the protocol."""
    from mcp.server.mcpserver import MCPServer

    server: MCPServer[Any] = MCPServer("ostler-drive", instructions=INSTRUCTIONS)

    @server.tool()
    async def check(start: bool = False, directory: str = "") -> dict[str, Any]:
        """Is there a server, which version, and which providers are connected? start: start one
        where none answers."""
        return (await driver.check(start=start, directory=directory)).json()

    @server.tool()
    async def create(
        title: str = "", agent: str = "", model: str = "", directory: str = ""
    ) -> dict[str, Any]:
        """A fresh session, for one task. model: provider/model; directory: the project."""
        made = await driver.create(title, agent=agent, model=model, directory=directory)
        return made.json()

    @server.tool()
    async def send(
        text: str,
        session_id: str = "",
        model: str = "",
        agent: str = "",
        directory: str = "",
        deadline: float = 60,
        reuse: bool = False,
        expect_json: bool = False,
    ) -> dict[str, Any]:
        """Send a task and wait for the answer, at most deadline seconds; then the session is
        aborted. Without session_id: in a fresh session. reuse: allow a session that was used."""
        sent = await driver.send(
            text,
            session_id,
            model=model,
            agent=agent,
            directory=directory,
            deadline=deadline,
            reuse=reuse,
            expect_json=expect_json,
        )
        return sent.json()

    @server.tool()
    async def send_async(
        text: str,
        session_id: str = "",
        model: str = "",
        agent: str = "",
        directory: str = "",
        deadline: float = 600,
        reuse: bool = False,
    ) -> dict[str, Any]:
        """Send a task and return at once; ask status for its answer. At the deadline (seconds) the
        session is aborted."""
        sent = await driver.send_async(
            text,
            session_id,
            model=model,
            agent=agent,
            directory=directory,
            deadline=deadline,
            reuse=reuse,
        )
        return sent.json()

    @server.tool()
    async def status(session_id: str, wait: float = 0) -> dict[str, Any]:
        """What a session does, and its answer once it is idle. wait: seconds to wait for that."""
        return (await driver.status(session_id, wait=wait)).json()

    @server.tool()
    async def abort(session_id: str) -> dict[str, Any]:
        """Stop what a session does."""
        return (await driver.abort(session_id)).json()

    @server.tool()
    async def delete(session_id: str) -> dict[str, Any]:
        """Stop a session and forget it."""
        return (await driver.delete(session_id)).json()

    @server.tool(name="list")
    async def sessions(directory: str = "", limit: int = 50) -> dict[str, Any]:
        """The newest sessions of a project, and what they do."""
        return (await driver.sessions(directory=directory, limit=limit)).json()

    @server.tool()
    async def models(directory: str = "") -> dict[str, Any]:
        """The models that can be asked, as provider/model."""
        return (await driver.models(directory=directory)).json()

    return server
