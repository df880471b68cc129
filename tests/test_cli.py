"""The command, as a person types it: what it says, and how it ends on bad input."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rocm_pipeline import cli
from rocm_pipeline.commands.common import home_of
from rocm_pipeline.errors import UserError
from tests.scale import only_long
from tests.standins.command import COMMAND, Call, by_script, forked_commands


@pytest.fixture(scope="module")
def call() -> Iterator[Call]:
    with forked_commands() as call:
        yield call


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a refusal; fails when there is more, or a traceback."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def unfit(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of a doctor who says that `run` would refuse."""
    assert done.returncode == 2, done.stdout + done.stderr
    line = done.stdout.strip().splitlines()[-1]
    assert line.startswith("The pipeline cannot run: ")
    return line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nope"], "No such option"),
        (["profile", "--nope"], "rocm-pipeline profile: No such option"),
        (["plan"], "Missing argument 'TARGET'"),
        (["fleet", "pul"], "Did you mean 'pull'? See `rocm-pipeline fleet --help`."),
        (["device", "check", "--on", "tpu", "x"], "'tpu' is not one of 'amd', 'nvidia', 'cpu'."),
        (["verify", "x", "--seed", "-1\n\x1b[2J"], "'--seed'"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_names_the_help(
    call: Call, home: Path, words: list[str], said: str
) -> None:
    line = refused(call(*words, home=home))
    assert said in line
    assert "--help`" in line


def test_the_help_says_what_is_written_in_it(call: Call, home: Path) -> None:
    done = call("profile", "--help", home=home)
    assert done.returncode == 0
    assert "x=float32[rows,cols]; may be repeated." in done.stdout
    assert "HIP source." in done.stdout
    without = call("fleet", home=home)
    assert without.returncode == 2
    assert "Usage: rocm-pipeline fleet" in without.stderr


def test_an_unknown_target_is_refused_with_the_known_ones(call: Call, home: Path) -> None:
    line = refused(call("run", "nothing", home=home))
    assert "'nothing'" in line
    assert "row_softmax" in line
    assert not home.exists()


def test_an_empty_argument_is_not_taken_for_the_current_folder(call: Call, home: Path) -> None:
    assert "an argument is empty" in refused(call("verify", "", home=home))


def test_a_malformed_target_is_refused_with_file_field_and_fix(call: Call, home: Path) -> None:
    assert call("targets", "new", "mine", home=home).returncode == 0
    path = home / "targets" / "mine" / "target.yaml"
    data = yaml.safe_load(path.read_text())
    data["work"]["bytes"] = "n ** 2"
    path.write_text(yaml.safe_dump(data))
    line = refused(call("run", "mine", home=home))
    assert "target.yaml" in line
    assert "work.bytes" in line
    assert "n ** 2" in line
    assert not (home / "records.sqlite").exists()


def test_a_home_that_cannot_be_written_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for home in (tmp_path / "file", tmp_path / "file" / "home", tmp_path / "loop"):
        for command in (["run", "row_softmax"], ["plan", "row_softmax"], ["doctor"]):
            assert "home cannot be used" in refused(call(*command, home=home))


def test_a_home_of_somebody_else_is_refused(home: Path) -> None:
    home.mkdir(mode=0o000)
    try:
        if os.getuid() == 0:
            os.seteuid(65534)
        with pytest.raises(UserError, match="home cannot be used"):
            home_of(home)
    finally:
        os.seteuid(os.getuid())
        home.chmod(0o700)


def test_a_full_disk_is_refused_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare(1) to mount a small file system")
    script = (
        f"mount -t tmpfs -o size=256k tmpfs {place} && "
        f"head -c 12k /dev/zero > {place}/filler && "
        f"ROCM_PIPELINE_HOME={place}/home {COMMAND} run row_softmax; status=$?; "
        f"find {place} -type f | sort; exit $status"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    if "mount:" in done.stderr:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    assert "cannot be written" in refused(done)
    assert done.stdout.split() == [f"{place}/filler"]


def test_a_second_run_on_the_same_home_is_refused(call: Call, home: Path) -> None:
    home.mkdir()
    with (home / "lock").open("w") as file:
        file.write("4711")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        line = refused(call("run", "row_softmax", home=home))
    assert "under way" in line
    assert "4711" in line


def test_a_folder_in_the_place_of_the_lock_is_refused(call: Call, home: Path) -> None:
    (home / "lock").mkdir(parents=True)
    assert f"{home}/lock: " in refused(call("run", "row_softmax", home=home))


def test_the_doctor_sees_a_damaged_database(call: Call, home: Path) -> None:
    (home / "dagster").mkdir(parents=True)
    for name in ("records.sqlite", "dagster/runs.db"):
        (home / name).write_bytes(b"\x87 no database")
        done = call("doctor", home=home)
        assert "mend databases" in unfit(done)
        assert "damaged:" in done.stdout
        (home / name).write_bytes(b"")


def test_a_dead_ollama_host_is_refused_and_not_replaced_by_the_embedded_agent(
    call: Call,
    home: Path,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    line = refused(call("run", "row_softmax", home=home, OLLAMA_HOST=url))
    assert url in line
    assert "mend Ollama hosts" in unfit(call("doctor", home=home, OLLAMA_HOST=url))


@pytest.mark.parametrize("value", ["ftp://x", "http://[bad", "host:abc", "host:99999"])
def test_a_malformed_ollama_host_is_refused(call: Call, home: Path, value: str) -> None:
    line = refused(call("run", "row_softmax", home=home, OLLAMA_HOST=value))
    assert "OLLAMA_HOST" in line
    assert "mend Ollama hosts" in unfit(call("doctor", home=home, OLLAMA_HOST=value))


def test_malformed_settings_for_claude_are_refused_before_anything_is_made(
    call: Call, home: Path
) -> None:
    home.mkdir()
    (home / "claude.yaml").write_text("budgets: {day: {usd: -1}}\n")
    assert "budgets.day.usd" in refused(call("run", "row_softmax", home=home))
    assert [path.name for path in home.iterdir()] == ["claude.yaml"]
    assert "mend Claude" in unfit(call("doctor", home=home))


@pytest.mark.parametrize(
    ("line", "words"),
    [("return {'y': x * float('nan')}", "not finite"), ("return {}", "returns no 'y'")],
)
def test_a_wrong_reference_is_refused_before_anything_is_run(
    call: Call, home: Path, line: str, words: str
) -> None:
    call("targets", "new", "mine", home=home)
    source = f"def reference(inputs, symbols, scalars):\n    x = inputs['x']\n    {line}\n"
    (home / "targets" / "mine" / "reference.py").write_text(source)
    assert words in refused(call("run", "mine", home=home))
    assert not (home / "records.sqlite").exists()


@pytest.mark.parametrize(
    "rounds",
    [
        "0",
        pytest.param("-1", marks=only_long),
        # as another word is below
        pytest.param("many", marks=only_long),
        "1000",
    ],
)
def test_rounds_must_be_a_small_number(call: Call, home: Path, rounds: str) -> None:
    line = refused(call("run", "row_softmax", home=home, ROCM_PIPELINE_ROUNDS=rounds))
    assert "ROCM_PIPELINE_ROUNDS" in line


def test_a_repository_that_is_none_is_refused(call: Call, home: Path, tmp_path: Path) -> None:
    line = refused(call("run", "row_softmax", home=home, ROCM_PIPELINE_REPOSITORY=str(tmp_path)))
    assert "no git repository" in line
    done = call("doctor", home=home, ROCM_PIPELINE_REPOSITORY=str(tmp_path))
    assert "mend repository" in unfit(done)


@pytest.mark.parametrize("name", ["ROUNDS", "NIGHTLY"])
def test_the_doctor_sees_a_setting_that_run_refuses(call: Call, home: Path, name: str) -> None:
    setting = {f"ROCM_PIPELINE_{name}": "now and then"}
    assert name in refused(call("run", "row_softmax", home=home, **setting))
    assert "mend settings" in unfit(call("doctor", home=home, **setting))


def test_the_doctor_sees_a_broken_fleet_file(call: Call, home: Path) -> None:
    home.mkdir()
    (home / "fleet.yaml").write_text("hosts: [")
    assert "fleet.yaml" in refused(call("run", "row_softmax", home=home))
    assert "mend Ollama hosts" in unfit(call("doctor", home=home))


@pytest.mark.parametrize("what", ["k-0000000000000000", "no/such/file", "ev-x"])
def test_lineage_of_something_unknown_is_refused(call: Call, home: Path, what: str) -> None:
    home.mkdir()
    refused(call("lineage", what, home=home))


def test_lineage_before_any_run_says_what_to_do(call: Call, home: Path) -> None:
    assert "make run" in refused(call("lineage", "k-1", home=home))


def test_a_taken_port_is_refused(call: Call, home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "taken" in refused(call("ui", "--port", str(port), home=home))


def test_a_port_is_free_right_after_a_server_stopped() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            connection, _ = server.accept()
            connection.close()  # who closes first keeps the address for a minute
            assert client.recv(1) == b""
    with socket.socket() as plain, pytest.raises(OSError, match="in use"):
        plain.bind(("127.0.0.1", port))
    cli._require_free(port)  # pyright: ignore[reportPrivateUsage]


def test_targets_are_listed_shown_and_made(call: Call, home: Path) -> None:
    listed = call("targets", "list", home=home)
    assert listed.returncode == 0
    assert "flash_attention" in listed.stdout
    shown = call("targets", "show", "row_softmax", home=home)
    assert json.loads(shown.stdout)["name"] == "row_softmax"
    assert call("targets", "new", "mine", home=home).returncode == 0
    assert "mine" in call("targets", "list", home=home).stdout
    assert "already" in refused(call("targets", "new", "mine", home=home))


def test_what_looks_like_markup_is_shown_as_it_stands(call: Call, tmp_path: Path) -> None:
    home = tmp_path / ":smile: home"
    made = call("targets", "new", "mine", home=home)
    assert made.returncode == 0, made.stderr
    assert f"Made {home}/targets/mine" in made.stdout
    path = home / "targets" / "mine" / "target.yaml"
    data = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**data, "title": "[/x] [red]mine[/red] :smile:"}))
    assert "[/x] [red]mine[/red] :smile:" in call("targets", "list", home=home).stdout
    assert call("doctor", home=home).returncode == 0


def test_a_plan_is_shown_without_running_it(home: Path) -> None:
    shown = by_script("plan", "row_softmax", "--json", home=home)
    assert shown.returncode == 0, shown.stderr
    roles = {task["agent_id"].rsplit("_", 1)[0] for task in json.loads(shown.stdout)["tasks"]}
    assert roles == {"kernel_dev", "pytorch_dev", "profiler", "docs_writer", "tester"}
    assert json.loads(shown.stdout)["planner"] == "rules (no key)"
    assert not (home / "records.sqlite").exists()


def test_the_doctor_says_what_is_there_and_what_is_not(call: Call, home: Path) -> None:
    done = call("doctor", home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    words = ("sandbox", "toolchain", "PyTorch", "AMD GPU", "NVIDIA GPU", "Ollama")
    for word in (*words, "ANTHROPIC_API_KEY"):
        assert word in done.stdout
    assert "The pipeline can run" in done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROCM_PIPELINE_NIGHTLY", "x y"),
        ("ROCM_PIPELINE_ROUNDS", "abc"),
        ("OLLAMA_HOST", "ftp://x"),
    ],
)
def test_the_ui_refuses_a_setting_that_its_assets_cannot_be_loaded_with(
    call: Call, home: Path, name: str, value: str
) -> None:
    assert name in refused(call("ui", "--port", "3997", home=home, **{name: value}))


def test_the_key_s_value_is_never_printed(call: Call, home: Path) -> None:
    done = call("doctor", home=home, ANTHROPIC_API_KEY="sk-ant-canary-0123456789")
    assert "canary" not in done.stdout + done.stderr
    assert "is set" in done.stdout


def test_a_deleted_current_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr("sys.argv", [COMMAND, "targets", "list"])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert capsys.readouterr().err.startswith("error: current folder: it cannot be used")
