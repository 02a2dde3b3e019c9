"""What every section of the file has in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from stream_seg.config.scalars import Kind, Text, whole, words


class Section(BaseModel):
    """One mapping of the file. Unknown keys are mistakes, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


Words = Annotated[list[Text], BeforeValidator(words), Kind("list of text")]


def in_range(least: int, most: int) -> Any:
    """The validator of a whole number within bounds, for an annotation."""
    return BeforeValidator(whole(least, most))
