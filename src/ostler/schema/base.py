"""The base of every wire type: an immutable struct whose absent fields stay absent in JSON."""

from typing import Annotated, Any

import msgspec

SessionID = Annotated[str, msgspec.Meta(pattern=r"^ses[\w-]*$")]
MessageID = Annotated[str, msgspec.Meta(pattern=r"^msg[\w-]*$")]
PartID = Annotated[str, msgspec.Meta(pattern=r"^prt[\w-]*$")]
PermissionID = Annotated[str, msgspec.Meta(pattern=r"^per[\w-]*$")]
QuestionID = Annotated[str, msgspec.Meta(pattern=r"^que[\w-]*$")]
PtyID = Annotated[str, msgspec.Meta(pattern=r"^pty[\w-]*$")]
NonNegative = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(gt=0)]
PathText = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")]
"""A path: no operating system takes a NUL in one."""
Number = int | float
"""A number that stays an integer on the wire where it is one."""
JsonObject = dict[str, Any]


# Type checkers demand that every subclass repeat ``frozen=True``; at run time it is inherited.
_FROZEN: Any = {"frozen": True, "omit_defaults": True}


class Wire(msgspec.Struct, **_FROZEN):
    """A record of the API. Attributes carry the wire's own names (``sessionID``), so that one name
    serves JSON, Python, docs and tests. A field whose default is None is optional on the wire."""
