"""``skill``: loads the instructions of a skill into the conversation."""

import os
from typing import Annotated

import msgspec

from ostler.project.search import SearchFailed, find_files
from ostler.schema.agent import Skill
from ostler.schema.errors import ToolError
from ostler.tools.text import shown
from ostler.tools.tool import ToolContext, ToolResult, define

SAMPLE = 10
"""Files of a skill's folder that are listed."""


class Params(msgspec.Struct, kw_only=True):
    name: Annotated[str, msgspec.Meta(description="The skill's name, as in available_skills")]


DESCRIPTION = """\
Loads a skill: instructions written for one kind of task, with the scripts and files that belong \
to it. When the work at hand fits one of the skills listed in the system prompt, load it before \
you begin and follow it. Its text comes back in a <skill_content> block with its folder."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    skills = {skill.name: skill for skill in context.host.skills()}
    skill = skills.get(params.name)
    if skill is None:
        available = ", ".join(skills) or "none"
        raise ToolError(f'Skill "{params.name}" not found. Available skills: {available}')
    await context.host.ask("skill", [skill.name], [skill.name], {})
    directory = os.path.dirname(skill.location)
    return ToolResult(
        _content(skill, directory, await _sample(directory)),
        f"Loaded skill: {skill.name}",
        {"name": skill.name, "dir": directory},
    )


TOOL = define("skill", DESCRIPTION, Params, execute)


async def _sample(directory: str) -> list[str]:
    """Some files of the skill's folder beside its SKILL.md; none for a built-in skill."""
    if not os.path.isabs(directory):
        return []
    try:
        found = await find_files(directory, hidden=True, limit=SAMPLE + 1)
    except SearchFailed:
        return []
    others = [path for path in found if os.path.basename(path) != "SKILL.md"]
    return [shown(os.path.join(directory, path)) for path in others[:SAMPLE]]


def _content(skill: Skill, directory: str, files: list[str]) -> str:
    return "\n".join(
        [
            f'<skill_content name="{skill.name}">',
            f"# Skill: {skill.name}",
            "",
            skill.content.strip(),
            "",
            f"Base directory for this skill: {directory}",
            "Paths in this skill, such as scripts/ or reference/, are relative to that directory.",
            "The files below are a sample; there may be more.",
            "",
            "<skill_files>",
            *(f"<file>{path}</file>" for path in files),
            "</skill_files>",
            "</skill_content>",
        ]
    )
