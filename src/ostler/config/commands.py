"""Commands: named prompt templates, and how arguments get into them.

Sources (later ones win): built-in, configuration and markdown; skills where the name
is free. Expansion follows OpenCode 1.18 step by step.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence

from ostler.schema.agent import Command, Skill
from ostler.schema.config import CommandConfig, Config

INIT = """\
Write or improve `AGENTS.md` at the root of this repository: what a coding agent must know to \
work here and could not see at a glance.

1. Look before you write: the manifest, the build and CI files, the README, existing rule files \
(AGENTS.md, CLAUDE.md, .cursor/rules, .cursorrules, .github/copilot-instructions.md), and enough \
of the code to see how it is laid out.
2. Put down: the commands to build, lint, type-check and test, including how to run a single \
test; the layout, where it is not obvious; conventions the code follows that a newcomer would \
break; traps.
3. Leave out what any agent would do anyway, what the code says by itself, and anything you did \
not verify. Keep it under 150 lines. If the file exists, improve it in place and keep what still \
holds.

$ARGUMENTS"""

REVIEW = """\
Review changes to this repository and report what is worth changing.

What to review: $ARGUMENTS

- Nothing given: everything that is not committed (`git diff`, `git diff --cached`, untracked \
files).
- A commit: `git show` it. A branch: the diff from the merge base. A pull request number or URL: \
read it with `gh pr view` and `gh pr diff`.

Read the changed files as a whole, not only the diff. Look for, in this order: wrong behaviour \
(logic, missing cases, races, errors swallowed), security, data loss, broken contracts with \
callers, then needless complexity against the conventions of this code base. Leave out style and \
anything you are not sure of: check it in the code first.

For each finding: severity, `path:line`, what happens and when, and how to mend it. If there is \
nothing, say so in one line."""

SHELL_SECONDS = 60.0
_SHELL = re.compile(r"!`([^`]+)`")
_FILE = re.compile(r"(?<![\w`])@(\.?[^\s`,.]*(?:\.[^\s`,.]+)*)")
_ARGUMENT = re.compile(r"\[Image \d+\]|\"[^\"]*\"|'[^']*'|[^\s\"']+")
_PLACE = re.compile(r"\$(\d+)")


def build_commands(config: Config, skills: Iterable[Skill]) -> dict[str, Command]:
    """By name."""
    commands = {
        "init": Command(
            name="init",
            template=INIT,
            hints=hints(INIT),
            description="Write or improve AGENTS.md for this project.",
            source="command",
        ),
        "review": Command(
            name="review",
            template=REVIEW,
            hints=hints(REVIEW),
            description="Review changes: a commit, a branch, a pull request; uncommitted ones by "
            "default.",
            source="command",
            subtask=True,
        ),
    }
    for name, entry in (config.command or {}).items():
        commands[name] = _configured(name, entry)
    for skill in skills:
        if skill.name not in commands:
            commands[skill.name] = _of_skill(skill)
    return commands


def _configured(name: str, entry: CommandConfig) -> Command:
    return Command(
        name=name,
        template=entry.template,
        hints=hints(entry.template),
        description=entry.description,
        agent=entry.agent,
        model=entry.model,
        source="command",
        subtask=entry.subtask,
    )


def _of_skill(skill: Skill) -> Command:
    folder = os.path.dirname(skill.location)
    note = f"\n\nBase directory for this skill: {folder}\nRelative paths in it start there."
    template = skill.content + (note if folder else "")
    return Command(
        name=skill.name,
        template=template,
        hints=[],  # OpenCode 1.18 lists none of a skill
        description=skill.description,
        source="skill",
    )


def runs_shell(template: str) -> bool:
    """Whether a template has shell lines."""
    return _SHELL.search(template) is not None


def hints(template: str) -> list[str]:
    """The placeholders: ``$1`` …, then ``$ARGUMENTS``."""
    found = sorted({int(n) for n in _PLACE.findall(template)})
    return [f"${n}" for n in found] + (["$ARGUMENTS"] if "$ARGUMENTS" in template else [])


def split_arguments(text: str) -> list[str]:
    """Words, quoted texts without their quotes, and ``[Image n]`` marks."""
    return [re.sub(r"^[\"']|[\"']$", "", token) for token in _ARGUMENT.findall(text)]


def fill(template: str, arguments: str) -> str:
    """The template with its placeholders filled. The highest ``$N`` takes all that is left; where
    there is no placeholder the arguments follow the template."""
    words = split_arguments(arguments)
    numbers = [int(n) for n in _PLACE.findall(template)]
    last = max(numbers, default=0)

    def word(match: re.Match[str]) -> str:
        number = int(match[1])
        if number == 0 or number > len(words):
            return ""
        return " ".join(words[number - 1 :]) if number == last else words[number - 1]

    text = _PLACE.sub(word, template)
    if "$ARGUMENTS" in text:
        return text.replace("$ARGUMENTS", arguments)
    if not numbers and arguments.strip():
        return f"{text}\n\n{arguments}"
    return text


Shell = Callable[[str], Awaitable[str]]


async def expand(template: str, arguments: str, shell: Shell) -> str:
    """``fill``, then each ``!`command` `` replaced by what it prints, all run at once."""
    text = fill(template, arguments)
    commands = [match[1] for match in _SHELL.finditer(text)]
    if commands:
        printed = iter(await asyncio.gather(*(shell(command) for command in commands)))
        text = _SHELL.sub(lambda _: next(printed), text)
    return text.strip()


def mentioned(text: str) -> Sequence[str]:
    """The distinct names after ``@``, in order: files, folders or agents."""
    return list(dict.fromkeys(name for name in _FILE.findall(text) if name))
