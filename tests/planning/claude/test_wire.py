"""The body of a request, as far as no other test looks at it."""

from typing import Any

from anthropic import transform_schema
from pydantic import BaseModel, ConfigDict

from rocm_pipeline.planning.claude.call import Call, Purpose
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.planning.claude.wire import params


class Book(BaseModel):
    """A form with a field that is called as what is left out."""

    model_config = ConfigDict(extra="forbid")

    title: str
    chapters: list["Book"]


def test_the_schema_of_an_answer_has_no_titles_and_loses_nothing_else() -> None:
    call = Call(
        purpose=Purpose.PLAN, targets=("t",), system=(), prompt="p", form=Book, max_tokens=10
    )
    schema = params(call, read_settings())["output_config"]["format"]["schema"]
    whole = transform_schema(Book)
    book: dict[str, Any] = schema["$defs"]["Book"]
    assert set(book["properties"]) == {"title", "chapters"}
    assert book["properties"]["title"] == {"type": "string"}
    assert whole["$defs"]["Book"].keys() - book.keys() == {"title"}
    assert book["required"] == whole["$defs"]["Book"]["required"]
    assert book["additionalProperties"] is False
