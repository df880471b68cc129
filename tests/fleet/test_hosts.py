from datetime import datetime
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.hosts import Host, default_preferences, find_config, read_config
from rocm_pipeline.fleet.hours import DAYS
from rocm_pipeline.fleet.inventory import Inventory
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.planning.plan import Role
from tests.fleet.host_server import host_script, hosting

GOOD = """
hosts:
  - {name: alpha, url: "http://alpha:11434/", slots: 2, models: ["qwen2.5-coder:32b"]}
  - {name: beta, url: "https://beta.example", roles: [tester]}
models:
  kernel_dev: [codellama]
num_ctx: 32768
"""


def write(folder: Path, text: str, name: str = "fleet.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_fleet_file_is_read(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, GOOD))
    alpha, beta = config.hosts
    assert (alpha.url, alpha.slots, alpha.models) == (
        "http://alpha:11434",
        2,
        ("qwen2.5-coder:32b",),
    )
    assert (beta.slots, beta.roles, beta.models) == (1, ("tester",), ())
    assert config.preferences.of("kernel_dev") == ("codellama",)
    assert config.preferences.of("tester") == default_preferences().of("tester")
    assert config.preferences.num_ctx == 32768


def test_a_fleet_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/dev/zero: is no plain file"):
        find_config(None, {"ROCM_PIPELINE_FLEET": "/dev/zero"})
    (tmp_path / "fleet.yaml").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"fleet.yaml: cannot be read .*write fleet.yaml"):
        find_config(tmp_path, {})


def test_every_role_has_models_to_ask_for() -> None:
    preferences = default_preferences()
    assert set(preferences.roles) == {role.value for role in Role} | {"reviewer"}
    for role in ("kernel_dev", "pytorch_dev", "profiler", "tester", "docs_writer", "reviewer"):
        assert len(preferences.of(role)) >= 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no mapping"),
        ("- a\n- b\n", "holds no mapping"),
        ("hosts: [", "not YAML"),
        ("hosts: []\nhosts: []\n", "has 'hosts' twice at line 2"),
        ("hosts: !!python/name:os.system x\n", "has a tag .* at line 1"),
        ("hosts: [{name: a, url: 'http://a..b'}]\n", r"hosts\.0\.url: it is no URL"),
        ("hosts: [{name: a, url: 'http://b\u00e4r..b'}]\n", r"hosts\.0\.url: it is no URL"),
        (
            "hosts: [{name: a, url: 'http://a', roles: [kernal_dev]}]\n",
            "there is no role 'kernal_dev', only kernel_dev, ",
        ),
        (
            "hosts: [{name: a, url: 'http://a'}]\nmodels: {painter: [llama3.1]}\n",
            "there is no role 'painter'",
        ),
        ("hosts: []\n", "hosts:"),
        ("hostz: []\n", "hosts: Field required"),
        ("hosts: [{name: a}]\n", r"hosts\.0\.url: Field required"),
        ("hosts: [{url: 'http://a'}]\n", r"hosts\.0\.name: Field required"),
        ("hosts: [{name: a, url: 'ftp://a'}]\n", r"hosts\.0\.url: it must start with http"),
        ("hosts: [{name: a, url: 'file:///etc/passwd'}]\n", r"hosts\.0\.url"),
        ("hosts: [{name: a, url: 'http://'}]\n", r"hosts\.0\.url"),
        ("hosts: [{name: a, url: 'http://a:port'}]\n", r"hosts\.0\.url: it is no URL"),
        ("hosts: [{name: a, url: 'http://me:pw@a'}]\n", "password"),
        ("hosts: [{name: a, url: 'http://a?x=1'}]\n", "query"),
        ("hosts: [{name: 'a b', url: 'http://a'}]\n", r"hosts\.0\.name"),
        ("hosts: [{name: a, url: 'http://a', slots: 0}]\n", r"hosts\.0\.slots"),
        ("hosts: [{name: a, url: 'http://a', slot: 2}]\n", r"hosts\.0\.slot"),
        (
            "hosts: [{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]\n",
            "two hosts have the name 'a'",
        ),
        (
            "hosts: [{name: a, url: 'http://a'}, {name: b, url: 'http://a/'}]\n",
            "two hosts have the url 'http://a'",
        ),
    ],
)
def test_a_wrong_fleet_file_is_one_line_with_file_field_and_fix(
    tmp_path: Path, text: str, told: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=told) as caught:
        read_config(path)
    assert caught.value.where == str(path)
    assert caught.value.fix
    assert "\n" not in str(caught.value)
    assert "pw" not in str(caught.value).removeprefix(str(path))


def test_a_fleet_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        find_config(environment={"ROCM_PIPELINE_FLEET": str(tmp_path / "absent.yaml")})


def test_the_named_file_wins_then_here_then_home_then_ollama(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    monkeypatch.chdir(here)

    def found(**environment: str) -> str | None:
        config = find_config(home, environment)
        return config and config.hosts[0].name

    def one_host(name: str) -> str:
        return f"hosts: [{{name: {name}, url: 'http://{name}'}}]"

    assert found() is None
    assert found(OLLAMA_HOST="127.0.0.1") == "ollama"
    write(home, one_host("of-home"))
    assert found(OLLAMA_HOST="127.0.0.1") == "of-home"
    write(here, one_host("of-here"))
    assert found(OLLAMA_HOST="127.0.0.1") == "of-here"
    named = write(tmp_path, one_host("named"), "other.yaml")
    assert found(ROCM_PIPELINE_FLEET=str(named)) == "named"


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("gpu-box:8080", "http://gpu-box:8080"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("http://gpu-box", "http://gpu-box"),
        ("https://gpu-box/ollama/", "https://gpu-box/ollama"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("::1", "http://[::1]:11434"),
        ("[::]", "http://[::1]:11434"),
        ("::", "http://[::1]:11434"),
        ("http://[::]:8080", "http://[::1]:8080"),
        ("proxy.example/ollama", "http://proxy.example:11434/ollama"),
        ("proxy.example:8080/ollama/", "http://proxy.example:8080/ollama"),
        ("10.0.0.0.0", "http://10.0.0.0.0:11434"),
    ],
)
def test_the_variable_of_ollama_is_read_as_ollama_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    config = find_config(environment={"OLLAMA_HOST": value})
    assert config is not None
    assert config.hosts[0].url == url


@pytest.mark.parametrize(
    "value",
    [
        *("ftp://a", "http://", "http://me:pw@a", "me:pw@a", "a b:c:d", "/ollama", "[::1", "a\nb"),
        *("http://b\u00e4r..example", "\u2603.example", "http://xn--\u00e4.example"),
    ],
)
def test_a_wrong_variable_of_ollama_is_a_user_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        find_config(environment={"OLLAMA_HOST": value})
    assert caught.value.where == "OLLAMA_HOST"
    assert "pw" not in str(caught.value)


DESK = """
hosts:
  - name: desk
    url: http://desk
    hours: "20:00-08:00"
    days: [mon]
    tags: {gpu: gfx1100}
    benchmarks: true
    vram_gib: 24
"""


def test_a_host_may_have_tags_hours_and_memory(tmp_path: Path) -> None:
    (desk,) = read_config(write(tmp_path, DESK)).hosts
    assert (desk.tags, desk.benchmarks, desk.vram_gib) == ({"gpu": "gfx1100"}, True, 24.0)
    assert desk.closed_at(datetime(2026, 11, 23, 21, 0)) == ""
    closed = desk.closed_at(datetime(2026, 11, 23, 12, 0))
    assert closed == "it may be asked only from 20:00-08:00 on mon"


def test_a_host_without_hours_may_always_be_asked(tmp_path: Path) -> None:
    alpha, _ = read_config(write(tmp_path, GOOD)).hosts
    assert alpha.closed_at(datetime(2026, 11, 23, 3, 0)) == ""
    assert alpha.hours_words == ""


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("hours: 20:00", r"hosts\.0\.hours: '1200' is no span of hours like '20:00-08:00'"),
        ("hours: '8-20'", r"hosts\.0\.hours: '8-20' is no span"),
        ("hours: '20:00-20:00'", r"hosts\.0\.hours: '20:00-20:00' is empty"),
        ("days: [monday]", r"hosts\.0\.days\.0: "),
        ("vram_gib: -1", r"hosts\.0\.vram_gib: "),
        ("tags: [gfx1100]", r"hosts\.0\.tags: "),
        ("benchmarks: sometimes", r"hosts\.0\.benchmarks: "),
        ("gpu: gfx1100", r"hosts\.0\.gpu: "),
    ],
)
def test_a_wrong_field_of_a_host_is_named(tmp_path: Path, field: str, told: str) -> None:
    text = f"hosts:\n  - name: a\n    url: http://a\n    {field}\n"
    with pytest.raises(UserError, match=told) as refusal:
        read_config(write(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_the_windows_of_roles_may_be_changed(tmp_path: Path) -> None:
    hosts = "hosts: [{name: a, url: 'http://a'}]\n"
    one = read_config(write(tmp_path, hosts + "contexts: {docs_writer: 32768}\n")).preferences
    assert one.context_of("llama3.1:8b") == 32768
    assert one.context_of("qwen3-coder:30b") == 16384
    all_ = read_config(write(tmp_path, hosts + "num_ctx: 8192\n")).preferences
    assert all_.context_of("llama3.1:8b") == 8192
    with pytest.raises(UserError, match="there is no role 'doc_writer'"):
        read_config(write(tmp_path, hosts + "contexts: {doc_writer: 32768}\n"))


def test_a_host_is_left_alone_outside_its_hours() -> None:
    now = datetime.now()
    other_day = DAYS[(now.weekday() + 2) % 7]
    preferences = default_preferences()
    with hosting(host_script()) as url:
        closed = Host(name="a", url=url, days=(other_day,))
        open_ = Host(name="b", url=f"{url}/")
        found = Inventory((closed, open_), preferences, Deadlines())
        assert [place.host.name for place in found.places("kernel_dev")] == ["b"]
        report = found.reports()[0]
    assert report.error.endswith(f"only from 00:00-24:00 on {other_day}")
