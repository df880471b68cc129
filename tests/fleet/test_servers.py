import pytest

from rocm_pipeline.fleet import servers
from rocm_pipeline.fleet.servers import PullProgress
from rocm_pipeline.fleet.transport import Deadlines
from tests.fleet.host_server import (
    PullBehaviour,
    Reply,
    host_script,
    hosting,
    refuses,
    replies,
    says,
)

HTML = "<html><body>502 Bad Gateway</body></html>"


def fetched(script_fetch: PullBehaviour | None = None) -> list[PullProgress]:
    lines: list[PullProgress] = []
    script = host_script(**({"fetch": script_fetch} if script_fetch else {}))
    with hosting(script) as url:
        servers.pull(url, "qwen2.5-coder:7b", lines.append)
    return lines


def test_a_pull_tells_of_every_part_until_success() -> None:
    lines = fetched()
    assert lines[0] == PullProgress("pulling manifest", "", 0, 0)
    assert PullProgress("pulling aa", "sha256:aa", 500, 1000) in lines
    assert lines[-1].status == "success"


def breaks_off(reply: Reply, model: str) -> None:  # noqa: ARG001
    reply.start_stream()
    reply.line(status="pulling manifest")
    reply.line(status="pulling aa", digest="sha256:aa", total=1000, completed=10)


def half_a_line(reply: Reply, model: str) -> None:  # noqa: ARG001
    reply.start_stream()
    reply.wfile.write(b'{"status": "pulling mani')


@pytest.mark.parametrize(
    ("fetch", "told"),
    [
        (refuses("pull model manifest: file does not exist"), "file does not exist"),
        (refuses("write /models: no space left on device"), "no space left"),
        (breaks_off, "stopped after 'pulling aa' without success"),
        (half_a_line, "does not speak Ollama's protocol"),
        (says(200, HTML), "does not speak Ollama's protocol"),
        (says(502, HTML), "502"),
        (says(404, "404 page not found"), "404"),
        (says(200, ""), "stopped at once without success"),
    ],
)
def test_a_pull_that_does_not_end_well_says_why(fetch: PullBehaviour, told: str) -> None:
    with pytest.raises(ConnectionError, match=told) as failure:
        fetched(fetch)
    assert "\n" not in str(failure.value)


def test_a_pull_from_a_dead_host_says_so() -> None:
    with hosting(host_script()) as url:
        pass
    with pytest.raises(ConnectionError, match="refuses connections"):
        servers.pull(url, "qwen2.5-coder:7b", lambda _: None)


def test_what_is_loaded_is_told_with_its_share_of_the_card() -> None:
    script = host_script(loaded={"qwen2.5-coder:7b": (1000, 400)})
    with hosting(script) as url:
        (model,) = servers.loaded(url, Deadlines())
    assert (model.name, model.bytes, model.bytes_vram, model.context) == (
        "qwen2.5-coder:7b",
        1000,
        400,
        16384,
    )
    assert not model.in_vram


@pytest.mark.parametrize("text", [HTML, "[]", '{"models": 3}', '{"models": [{"size": "x"}]}'])
def test_a_list_of_another_form_is_a_connection_error(text: str) -> None:
    script = host_script(ps=replies(200, text))
    with hosting(script) as url, pytest.raises(ConnectionError):
        servers.loaded(url, Deadlines())
