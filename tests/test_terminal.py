"""What the commands print reaches a terminal as plain text, whoever wrote it."""

import io
import json

import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rocm_pipeline.terminal import PlainConsole, print_json

STEERING = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\udcff"


def shown(what: object, **options: object) -> str:
    text = io.StringIO()
    PlainConsole(file=text, width=80, **options).print(what)
    return text.getvalue()


@pytest.mark.parametrize("text", ["[/x]", "[red]word[/red]", "[link=file:///x]", ":smile:"])
def test_nothing_in_a_text_is_markup(text: str) -> None:
    table = Table("what", title=text)
    table.add_row(text)
    assert shown(text).strip() == text
    assert shown(table).count(text) == 2


@pytest.mark.parametrize("wrap", [str, Text])
def test_no_text_steers_the_terminal(wrap: type[str] | type[Text]) -> None:
    table = Table("what")
    table.add_row(wrap(f"one{STEERING}two"))
    for what in (wrap(f"one{STEERING}two"), table):
        assert "one[2J]0;title31mtwo" in shown(what)


def test_colours_and_live_tables_still_work() -> None:
    assert shown(Text("word", "red"), color_system="standard", force_terminal=True).startswith(
        "\x1b[31mword\x1b[0m"
    )
    text = io.StringIO()
    console = PlainConsole(file=text, force_terminal=True, width=80)
    with Live("one", console=console, auto_refresh=False) as live:
        live.update("two", refresh=True)
    assert "\x1b[2K" in text.getvalue()


def test_json_holds_the_same_text_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(json.dumps({"x": "a\x9b\x1bé"}, ensure_ascii=False))
    printed = capsys.readouterr().out
    assert "\x9b" not in printed
    assert json.loads(printed) == {"x": "a\x9b\x1bé"}
