"""The server as code within the process asks it: no port, no password."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostler.runtime import Runtime
    from ostler.server.app import App


def inside_app(runtime: "Runtime") -> "App":
    """An application for callers that are in this process, and so may do everything."""
    from ostler.server.access import Access
    from ostler.server.app import App

    return App(runtime, Access(any_host=True))
