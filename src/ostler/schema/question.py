"""Questions a model asks a person."""

from ostler.schema.base import MessageID, QuestionID, SessionID, Wire


class QuestionOption(Wire):
    label: str
    description: str


class QuestionInfo(Wire):
    question: str
    header: str
    options: list[QuestionOption]
    multiple: bool | None = None
    custom: bool | None = None


class QuestionTool(Wire):
    messageID: MessageID
    callID: str


QuestionAnswer = list[str]


class QuestionRequest(Wire):
    id: QuestionID
    sessionID: SessionID
    questions: list[QuestionInfo]
    tool: QuestionTool | None = None


class QuestionReplyInput(Wire):
    """One list of chosen labels per question, in order."""

    answers: list[QuestionAnswer]
