"""What every request begins with: who the agent is, where it works, which rules hold there."""

import sys
from datetime import date

from ostler.engine.instance import Instance
from ostler.models.request import ChatMessage, TextBlock
from ostler.permission import evaluate, hidden
from ostler.schema.agent import Agent, Skill
from ostler.schema.message import OutputFormatJsonSchema, UserMessage
from ostler.schema.permission import PermissionRule
from ostler.schema.provider import Model

BASE = """\
You are Ostler, a coding agent. You work in the user's repository with the tools you are given, \
and you finish what you are asked to do.

# How to work
- Understand before you change: search and read the relevant files first, and follow the \
conventions you find there (style, libraries, structure, tests).
- Make the smallest change that does the whole job. Do not add what was not asked for.
- Never assume that a library is available: check the manifest or the imports next to you.
- Use the tools rather than describing what one could do. Make independent calls in parallel.
- Prefer the file tools over shell commands for reading, searching and editing.
- After a change, run the project's own checks (tests, type checker, linter) where you can find \
them, and fix what you broke.
- When a tool fails, read the error and try another way. Do not repeat the same failing call.
- For work of several steps, keep a todo list and keep it current.
- Never commit, push, delete data or change anything outside the project unless the user asks.
- Never print, log or commit secrets.

# How to answer
- Be brief and direct. Say what you did and what the user should know, not how hard it was.
- Refer to code as `path:line`.
- If something could not be done or verified, say so plainly.
- Text you write between tool calls is shown to the user; do not use commands or comments to talk.
"""

PLAN_REMINDER = """\
<system-reminder>
You are in plan mode: read and think, change nothing. Do not edit files, run commands that change \
state, or commit, except for the plan file your rules allow. Explore, ask what is unclear, and end \
with a plan that another agent could carry out.
</system-reminder>"""

BUILD_REMINDER = """\
<system-reminder>
You have left plan mode: from now on you may edit files and run commands. Carry out the plan.
</system-reminder>"""

LAST_STEP = """\
I have used all the steps this agent may take, so I will not call any more tools. I will say what \
is done, what is left, and what I recommend next."""

STRUCTURED = """\
Answer by calling the StructuredOutput tool exactly once, with arguments that match its schema. \
Do not answer in plain text."""

SKILLS = """\
Skills are instructions for particular kinds of work. When a task matches the description of one, \
load it with the skill tool before you start."""


async def system_prompt(
    instance: Instance,
    agent: Agent,
    model: Model,
    user: UserMessage,
    rules: list[PermissionRule],
    mcp: str = "",
) -> list[ChatMessage]:
    """The system message: the agent's prompt (or ours), environment, instruction files, MCP
    servers' instructions, skills, and what the prompt itself adds."""
    sections = [agent.prompt or BASE, environment(instance, model)]
    for source, text in await instance.instructions.system():
        sections.append(f"Instructions from: {source}\n{text}")
    if mcp:
        sections.append(mcp)
    if not hidden("skill", rules):
        sections.append(skills(instance.skills, rules))
    if isinstance(user.format, OutputFormatJsonSchema):
        sections.append(STRUCTURED)
    if user.system:
        sections.append(user.system)
    text = "\n\n".join(section.strip("\n") for section in sections if section.strip())
    return [ChatMessage("system", (TextBlock(text),))]


def environment(instance: Instance, model: Model) -> str:
    """The facts of the place. The date is a day's, so that caches hold for a day."""
    is_git = "yes" if instance.project.vcs == "git" else "no"
    return "\n".join(
        (
            f"The model you run on is {model.name} ({model.providerID}/{model.id}).",
            "<env>",
            f"  Working directory: {instance.directory}",
            f"  Workspace root folder: {instance.worktree}",
            f"  Is directory a git repo: {is_git}",
            f"  Platform: {sys.platform}",
            f"  Today's date: {date.today():%a %b %d %Y}",
            "</env>",
        )
    )


def skills(available: list[Skill], rules: list[PermissionRule]) -> str:
    """The list a model chooses from; denied skills and those without description are left out."""
    offered = sorted(
        (
            s
            for s in available
            if s.description and evaluate("skill", s.name, rules).action != "deny"
        ),
        key=lambda s: s.name,
    )
    if not offered:
        return "No skills are available."
    entries = "".join(
        f"  <skill>\n    <name>{s.name}</name>\n    <description>{s.description}</description>\n"
        f"    <location>{_escape(s.location)}</location>\n  </skill>\n"
        for s in offered
    )
    return f"{SKILLS}\n<available_skills>\n{entries}</available_skills>"


def with_reminders(
    messages: list[ChatMessage], agent: Agent, planned_before: bool
) -> list[ChatMessage]:
    """Plan-mode reminders on the newest user message, for this request only."""
    reminder = None
    if agent.name == "plan":
        reminder = PLAN_REMINDER
    elif agent.name == "build" and planned_before:
        reminder = BUILD_REMINDER
    if reminder is None:
        return messages
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.role == "user":
            reminded = message.known.get(reminder)  # the same in all steps of a turn
            if reminded is None:
                reminded = ChatMessage("user", (*message.content, TextBlock(reminder)))
                message.known[reminder] = reminded
            return [*messages[:index], reminded, *messages[index + 1 :]]
    return messages


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
