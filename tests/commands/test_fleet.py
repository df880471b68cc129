"""`rocm-pipeline fleet ...` against hosts on loopback, over the official client."""

import json
import time
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from rocm_pipeline.commands.fleet import fleet_app
from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.hosts import FLEET_VARIABLE, OLLAMA_VARIABLE, read_config
from rocm_pipeline.home import HOME_VARIABLE, Home
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.fleet_tables import CircuitRow, HostRow, TicketRow
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.owner import this_process
from rocm_pipeline.records.records import Records
from tests.fleet.host_server import HostScript, host_script, hosting, refuses, replies
from tests.fleet.ollama_server import DIGEST, answers

GIB = 1 << 30


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (FLEET_VARIABLE, OLLAMA_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def fleet(*words: str) -> Result:
    return CliRunner().invoke(fleet_app, list(words))


def configure(*hosts: dict[str, object], **more: object) -> None:
    Path("fleet.yaml").write_text(yaml.safe_dump({"hosts": list(hosts), **more}))


def dead() -> str:
    with hosting(host_script()) as url:
        return url


def test_discover_writes_the_machines_that_answer(tmp_path: Path) -> None:
    with (
        hosting(host_script()) as one,
        hosting(host_script(models={"codellama:7b": DIGEST})) as two,
    ):
        done = fleet("discover", one, two, dead(), "--write")
        assert done.exit_code == 0, done.output
        assert "codellama:7b" in done.output
        assert "refuses connections" in done.output
        written = read_config(tmp_path / "fleet.yaml")
    assert [host.url for host in written.hosts] == [one, two]


def test_discover_never_writes_over_a_file_unasked() -> None:
    Path("fleet.yaml").write_text("mine")
    with hosting(host_script()) as url:
        done = fleet("discover", url, "--write")
        assert isinstance(done.exception, UserError)
        assert Path("fleet.yaml").read_text() == "mine"
        assert fleet("discover", url, "--write", "--force").exit_code == 0
    assert url in Path("fleet.yaml").read_text()


def test_discover_of_nothing_writes_nothing() -> None:
    done = fleet("discover", dead(), "--write")
    assert done.exit_code == 1
    assert "Did not write fleet.yaml: no machine answers." in done.output
    assert not Path("fleet.yaml").exists()


def test_a_web_server_is_no_host() -> None:
    script = host_script(tags=replies(200, "<html>Welcome</html>"))
    with hosting(script) as url:
        done = fleet("discover", url, "--json")
    (found,) = json.loads(done.output)
    assert done.exit_code == 1
    assert not found["reachable"]
    assert "does not speak Ollama's protocol" in found["error"]


def test_every_command_says_that_nothing_is_configured() -> None:
    for words in (["status", "--once"], ["pull"], ["probe"]):
        done = fleet(*words)
        assert isinstance(done.exception, UserError)
        assert "OLLAMA_HOST" in str(done.exception)


def test_status_shows_models_tags_and_dead_hosts() -> None:
    script = host_script(loaded={"qwen2.5-coder:7b": (10 * GIB, 4 * GIB)})
    with hosting(script) as url:
        configure(
            {"name": "alpha", "url": url, "slots": 3, "tags": {"gpu": "gfx1100"}},
            {"name": "beta", "url": dead(), "hours": "20:00-08:00", "days": ["mon"]},
        )
        done = fleet("status", "--once")
        plain = fleet("status", "--json")
    assert done.exit_code == 0, done.output
    for words in ("1 of 2 hosts answer", "gpu: gfx1100", "* qwen2.5-coder:7b dddddddddddd", "40 %"):
        assert words in done.output
    alpha, beta = json.loads(plain.output)["hosts"]
    assert alpha["models"][0]["resident"]
    assert alpha["models"][0]["digest"] == DIGEST
    assert not beta["reachable"]
    assert beta["hours"] == "20:00-08:00 on mon"


def test_status_without_a_list_of_what_is_loaded_still_shows_the_rest() -> None:
    script = host_script(ps=replies(404, "404 page not found"))
    with hosting(script) as url:
        configure({"name": "alpha", "url": url})
        (alpha,) = json.loads(fleet("status", "--json").output)["hosts"]
    assert alpha["reachable"]
    assert "does not say what is loaded" in alpha["error"]
    assert [model["name"] for model in alpha["models"]] == ["qwen2.5-coder:7b"]


def test_status_of_dead_hosts_alone_is_no_success() -> None:
    configure({"name": "alpha", "url": dead()})
    assert fleet("status", "--once").exit_code == 1


def test_looking_at_a_fleet_makes_no_home(tmp_path: Path) -> None:
    configure({"name": "alpha", "url": dead()})
    fleet("status", "--once")
    assert not (tmp_path / "home").exists()


def test_status_tells_speed_slots_queue_failures_and_quarantine(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    with hosting(host_script()) as url:
        configure({"name": "alpha", "url": url, "slots": 2})
        _remember(home, url)
        done = fleet("status", "--json")
        table = fleet("status", "--once").output
    found = json.loads(done.output)
    activity = found["hosts"][0]["activity"]
    assert found["queue"] == 1
    assert (activity["slots_busy"], activity["reserved"]) == (1, True)
    assert (activity["calls"], activity["failures"]) == (2, {"TIMEOUT": 1})
    assert activity["tokens_out"] / activity["eval_seconds"] == 25.0
    assert activity["closed"][0]["reason"] == "one character over and over"
    for words in ("25.0", "1 TIMEOUT", "1 of 2", "one", "over and", "waiting for a slot: 1"):
        assert words in table


def _remember(home: Home, url: str) -> None:
    records = Records.open(home.records_url, str(home.store))
    for outcome, tokens in ((Outcome.OK, 50), (Outcome.TIMEOUT, 0)):
        attempt = records.journal.intent(_intent(url, seed=tokens))
        records.journal.finish(
            attempt,
            Received(
                outcome=outcome,
                text="x" if tokens else None,
                t_done=time.time(),
                tokens_out=tokens,
                eval_ns=tokens * 40_000_000,
            ),
        )
    _share(records.database, url)
    records.close()


def _share(database: Database, url: str) -> None:
    now = time.time()
    model = f"qwen2.5-coder:7b@{DIGEST}"
    database.add_once(
        _ticket("a", now, url, model),
        _ticket("b", now, None, None),
        HostRow(
            host=url,
            name="alpha",
            slots=2,
            seen_at=now,
            models=(model,),
            reserved_by="x:1:1",
            reserved_until=now + 60,
        ),
        CircuitRow(
            host=url,
            model=model,
            state="open",
            reason="one character over and over",
            failures=1,
            opened=1,
            since=now,
            retry_at=now + 60,
            last_job="",
        ),
    )


def _ticket(name: str, now: float, host: str | None, model: str | None) -> TicketRow:
    return TicketRow(
        ticket_id=name,
        owner=this_process(),
        beat_at=now,
        give_up_at=now + 60,
        wish_json="{}",
        waiting_since=now,
        host=host,
        model=model,
    )


def _intent(url: str, seed: int) -> Intent:
    return Intent(
        provider="ollama",
        model="qwen2.5-coder:7b",
        model_digest=DIGEST,
        system="s",
        prompt="p",
        seed=seed,
        options={},
        host=url,
        target="row_softmax",
        purpose="test",
        role="kernel_dev",
        give_up_seconds=60.0,
    )


def test_pull_fetches_the_largest_that_fits_for_each_role() -> None:
    script = host_script(models={})
    with hosting(script) as url:
        configure(
            {"name": "alpha", "url": url, "vram_gib": 24, "roles": ["kernel_dev", "docs_writer"]}
        )
        said = fleet("pull", "--dry-run")
        assert script.pulled == []
        done = fleet("pull")
        again = fleet("pull")
    assert "qwen3-coder:30b to fetch for kernel_dev, 19 GB" in said.output
    assert done.exit_code == 0, done.output
    assert script.pulled == ["qwen3-coder:30b", "llama3.1:8b"]
    assert "qwen3-coder:30b is there" in again.output


def test_pull_takes_no_small_model_where_a_large_one_of_the_list_fits() -> None:
    with hosting(host_script(models={})) as url:
        configure({"name": "alpha", "url": url, "vram_gib": 8, "roles": ["profiler"]})
        said = fleet("pull", "--dry-run").output
    assert "qwen2.5-coder:7b to fetch for profiler" in said  # deepseek-coder:1.3b comes before it


def test_pull_does_not_fetch_less_than_there_is() -> None:
    script = host_script(
        models={"qwen2.5-coder:32b": DIGEST}, sizes={"qwen2.5-coder:32b": 19_851_349_856}
    )
    with hosting(script) as url:
        configure({"name": "alpha", "url": url, "vram_gib": 12, "roles": ["tester"]})
        done = fleet("pull")
    assert script.pulled == []
    assert "qwen2.5-coder:32b is there" in done.output


def test_pull_takes_a_host_at_its_word_and_says_when_it_guesses() -> None:
    with hosting(host_script(models={})) as small:
        configure({"name": "alpha", "url": small, "roles": ["kernel_dev"]})
        guessed = fleet("pull", "--dry-run").output
    big = host_script(loaded={"qwen2.5-coder:7b": (40 * GIB, 40 * GIB)})
    with hosting(big) as url:
        configure({"name": "alpha", "url": url, "roles": ["kernel_dev"]})
        seen = fleet("pull", "--dry-run").output
    assert "8.0 GiB (assumed" in guessed
    assert "qwen2.5-coder:7b to fetch" in guessed
    assert "40.0 GiB (what it has loaded now" in seen
    assert "qwen3-coder:30b to fetch" in seen


def test_pull_says_for_which_roles_nothing_fits() -> None:
    with hosting(host_script(models={})) as url:
        configure({"name": "alpha", "url": url, "vram_gib": 2, "roles": ["docs_writer"]})
        small = fleet("pull", "--dry-run").output
        configure({"name": "alpha", "url": url, "vram_gib": 1.2, "roles": ["docs_writer"]})
        nothing = fleet("pull", "--dry-run").output
    assert "qwen2.5-coder:0.5b to fetch for docs_writer" in small
    assert "no model for docs_writer fits" in nothing


def test_pull_fetches_the_models_that_a_person_added() -> None:
    script = host_script(models={})
    with hosting(script) as url:
        configure(
            {"name": "alpha", "url": url, "roles": ["tester"]}, models={"tester": ["mine:1b"]}
        )
        assert fleet("pull").exit_code == 0
    assert script.pulled == ["mine:1b"]


def test_pull_goes_on_after_a_model_that_cannot_be_fetched() -> None:
    script = host_script(fetch=refuses("pull model manifest: file does not exist"))
    with hosting(script) as url:
        configure({"name": "alpha", "url": url}, {"name": "beta", "url": dead()})
        done = fleet("pull", "one:1b", "two:1b")
    assert done.exit_code == 1
    assert script.pulled == ["one:1b", "two:1b"]
    assert "alpha: two:1b not fetched: pull model manifest: file does not exist" in done.output
    assert "beta: it refuses connections" in done.output


def test_probe_chats_with_every_model_once() -> None:
    script = host_script(
        models={"qwen2.5-coder:7b": DIGEST, "codellama:7b": DIGEST, "nomic-embed-text": DIGEST},
        behave=answers("yes", done_reason="length"),
    )
    with hosting(script) as url:
        configure({"name": "alpha", "url": url})
        done = fleet("probe")
    assert done.exit_code == 0, done.output
    assert sorted(chat["model"] for chat in script.chats) == ["codellama:7b", "qwen2.5-coder:7b"]
    assert {chat["options"]["num_predict"] for chat in script.chats} == {1}
    assert {chat["options"]["num_ctx"] for chat in script.chats} == {16384}


def _one_wrong(url_of_dead: str, script: HostScript, url: str) -> Result:
    configure({"name": "alpha", "url": url}, {"name": "beta", "url": url_of_dead})
    done = fleet("probe", "--json")
    assert script.chats
    return done


def test_probe_fails_when_one_host_is_dead() -> None:
    script = host_script()
    with hosting(script) as url:
        done = _one_wrong(dead(), script, url)
    alpha, beta = json.loads(done.output)
    assert done.exit_code == 1
    assert (alpha["ok"], alpha["digest"]) == (True, DIGEST)
    assert (beta["ok"], beta["outcome"]) == (False, "UNREACHABLE")


def test_probe_fails_when_another_model_answers() -> None:
    script = host_script(behave=answers("yes", model="other:1b"))
    with hosting(script) as url:
        configure({"name": "alpha", "url": url})
        done = fleet("probe")
    assert done.exit_code == 1
    assert "WRONG_MODEL" in done.output


def test_probe_of_what_is_loaded_loads_nothing() -> None:
    script = host_script(models={"a:1b": DIGEST, "b:1b": DIGEST}, loaded={"b:1b": (10, 10)})
    with hosting(script) as url:
        configure({"name": "alpha", "url": url})
        assert fleet("probe", "--loaded").exit_code == 0
    assert [chat["model"] for chat in script.chats] == ["b:1b"]


def test_an_unknown_host_is_named_with_those_that_are_known() -> None:
    configure({"name": "alpha", "url": "http://127.0.0.1:1"})
    done = fleet("probe", "--host", "alhpa")
    assert isinstance(done.exception, UserError)
    assert "Known are alpha" in str(done.exception)


def test_what_a_host_says_does_not_steer_the_terminal() -> None:
    with hosting(host_script(fetch=refuses("\x1b]0;mine\x07no \x9b2J[/x]"))) as url:
        configure({"name": "alpha", "url": url})
        done = fleet("pull", "some:1b")
    assert done.exit_code == 1, done.output
    assert "[/x]" in done.output
    assert not any(steering in done.output for steering in "\x1b\x07\x9b")
