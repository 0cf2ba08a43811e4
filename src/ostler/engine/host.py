"""What every host of a tool does alike: an instance's part in changing and reading files."""

from ostler.engine.instance import Instance
from ostler.integrations.lsp.servers import LanguageServers
from ostler.schema.agent import Skill
from ostler.schema.event import FileEdited, FileWatcherUpdated
from ostler.tools.tool import Edited


class InstanceHost:
    """The part of a ToolHost that is the same for all calls in a directory."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def edited(self, path: str, created: bool) -> Edited:
        instance = self._instance
        await instance.formatters.format(path)
        instance.bus.publish(FileEdited(file=path), instance.location)
        kind = "add" if created else "change"
        instance.bus.publish(FileWatcherUpdated(file=path, event=kind), instance.location)
        return Edited(await instance.language_servers.edited(path))

    async def removed(self, path: str) -> None:
        instance = self._instance
        instance.language_servers.removed(path)
        instance.bus.publish(FileWatcherUpdated(file=path, event="unlink"), instance.location)

    async def warm(self, path: str) -> None:
        self._instance.language_servers.warm(path)

    def language_servers(self) -> LanguageServers:
        return self._instance.language_servers

    def skills(self) -> list[Skill]:
        return self._instance.skills
