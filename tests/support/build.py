"""Builders of records, with plausible values for what a test does not care about."""

from typing import Any

from ostler import ids
from ostler.models import providers
from ostler.models.request import ChatMessage, ModelRequest, TextBlock
from ostler.schema.config import ModelConfig, ProviderConfig
from ostler.schema.message import (
    AssistantMessage,
    AssistantTime,
    MessagePath,
    UserMessage,
    UserModel,
    UserTime,
)
from ostler.schema.part import TextPart
from ostler.schema.provider import Provider
from ostler.schema.session import NO_TOKENS, Session, SessionTime


def session(**fields: Any) -> Session:
    return Session(
        **{
            "id": ids.new("ses"),
            "slug": "calm-oak",
            "projectID": "global",
            "directory": "/somewhere",
            "title": "A session",
            "version": "0",
            "time": SessionTime(created=1, updated=1),
            **fields,
        }
    )


def user_message(session_id: str, **fields: Any) -> UserMessage:
    return UserMessage(
        **{
            "id": ids.new("msg"),
            "sessionID": session_id,
            "time": UserTime(created=ids.now_ms()),
            "agent": "build",
            "model": UserModel(providerID="test", modelID="m1"),
            **fields,
        }
    )


def assistant_message(session_id: str, **fields: Any) -> AssistantMessage:
    return AssistantMessage(
        **{
            "id": ids.new("msg"),
            "sessionID": session_id,
            "time": AssistantTime(created=ids.now_ms()),
            "parentID": "msg_parent",
            "modelID": "m1",
            "providerID": "test",
            "mode": "build",
            "agent": "build",
            "path": MessagePath(cwd="/somewhere", root="/"),
            "cost": 0,
            "tokens": NO_TOKENS,
            **fields,
        }
    )


def text_part(message: UserMessage | AssistantMessage, text: str, **fields: Any) -> TextPart:
    return TextPart(
        **{
            "id": ids.new("prt"),
            "sessionID": message.sessionID,
            "messageID": message.id,
            "text": text,
            **fields,
        }
    )


def provider(base_url: str, model: ModelConfig | None = None, **options: Any) -> Provider:
    """The provider ``test`` with the model ``m1``."""
    config = ProviderConfig(
        options={"baseURL": base_url, "apiKey": "test-key", **options},
        models={"m1": model or ModelConfig()},
    )
    return providers.overlay("test", config, None)


def request(base_url: str, said: str = "hi", **fields: Any) -> ModelRequest:
    known = fields.pop("provider", None) or provider(base_url)
    return ModelRequest(
        **{
            "provider": known,
            "model": known.models["m1"],
            "messages": [ChatMessage("user", (TextBlock(said),))],
            **fields,
        }
    )
