"""A session's title, written in the background by the small model."""

import re
from typing import TYPE_CHECKING

import msgspec

from ostler import ids
from ostler.engine import budget, hooks
from ostler.engine.convert import conversation
from ostler.engine.history import is_user
from ostler.engine.step import options_for
from ostler.models.delta import TextDelta
from ostler.models.failure import ModelFailure
from ostler.models.request import ChatMessage, ModelRequest, TextBlock
from ostler.schema.errors import NotFound
from ostler.schema.message import UserMessage
from ostler.schema.part import SubtaskPart, TextPart
from ostler.schema.session import SessionTime

if TYPE_CHECKING:
    from ostler.engine.turn import Turn

DEFAULT_TITLE = re.compile(r"^(New|Child) session - \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
DEADLINE = 60.0
LONGEST = 100
REQUEST = "Write a title for this conversation:"


def wants_title(turn: "Turn") -> bool:
    """Only a root session whose title is still the default, at its first real prompt."""
    session = turn.session()
    if session.parentID is not None or not DEFAULT_TITLE.match(session.title):
        return False
    prompts = [
        e
        for e in turn.history.entries
        if is_user(e) and not all(isinstance(p, TextPart) and p.synthetic for p in e.parts)
    ]
    return len(prompts) == 1


async def write_title(turn: "Turn", user: UserMessage) -> None:
    """Ask for a title and store it; a failure leaves the default (a title is worth no retry)."""
    instance = turn.instance
    agent = instance.agents.get("title")
    if agent is None:
        return
    entry = turn.history.entry(user.id)
    if entry is None:
        return
    try:
        if agent.model:
            model = instance.models.get(agent.model.providerID, agent.model.modelID)
        else:
            model = await hooks.small_model(
                instance, instance.models.get(user.model.providerID, user.model.modelID)
            )
    except NotFound:
        return
    subtasks = [p.prompt for p in entry.parts if isinstance(p, SubtaskPart)]
    if subtasks:
        messages = [ChatMessage("user", (TextBlock("\n".join(subtasks)),))]
    else:
        messages = conversation([entry], model)
    request = ModelRequest(
        provider=instance.models.provider_of(model),
        model=model,
        messages=[
            ChatMessage("system", (TextBlock(agent.prompt or ""),)),
            ChatMessage("user", (TextBlock(REQUEST),)),
            *messages,
        ],
        temperature=agent.temperature if model.capabilities.temperature else None,
        options=options_for(model, agent, None, small=True),
        session_id=turn.session_id,
        places=(instance.directory, instance.worktree),
    )
    pieces: list[str] = []
    try:
        request = await hooks.prepared(instance, request, agent.name, user)
        async for batch in instance.models.stream(request):
            pieces.extend(d.text for d in batch if isinstance(d, TextDelta))
    except ModelFailure:
        return
    _rename(turn, first_line("".join(pieces)))


def _rename(turn: "Turn", title: str) -> None:
    """Give a session that has no title of its own this one."""
    instance = turn.instance
    if not title:
        return
    try:
        session = instance.store.sessions.get(turn.session_id)
    except NotFound:
        return
    if DEFAULT_TITLE.match(session.title):
        time = SessionTime(
            created=session.time.created,
            updated=ids.now_ms(),
            compacting=session.time.compacting,
            archived=session.time.archived,
        )
        instance.store.sessions.save(msgspec.structs.replace(session, title=title, time=time))


def first_line(text: str) -> str:
    """The first line that says something, without the model's thinking, at most LONGEST long."""
    text = re.sub(r"<think>[\s\S]*?</think>\s*", "", text)
    line = next((stripped for part in text.split("\n") if (stripped := part.strip())), "")
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def start(turn: "Turn", user: UserMessage) -> None:
    if not wants_title(turn):
        return
    if budget.applies(turn, user):  # a budget is for the work: the prompt's own words will do
        entry = turn.history.entry(user.id)
        words = (p.text for p in (entry.parts if entry else ()) if isinstance(p, TextPart))
        _rename(turn, first_line("\n".join(words)))
    else:
        turn.instance.tasks.start(write_title(turn, user), DEADLINE)
