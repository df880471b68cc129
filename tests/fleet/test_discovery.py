from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.discovery import hosts_named, write_fleet
from rocm_pipeline.fleet.hosts import Host, read_config


def test_names_addresses_and_urls_become_hosts() -> None:
    found = hosts_named(
        ["alpha", "10.0.0.7:9000", "::1", "https://beta.example/ollama", "alpha:11434"]
    )
    assert [(host.name, host.url) for host in found] == [
        ("alpha", "http://alpha:11434"),
        ("10.0.0.7", "http://10.0.0.7:9000"),
        ("1", "http://[::1]:11434"),
        ("beta.example", "https://beta.example/ollama"),
    ]


def test_two_servers_of_one_machine_have_two_names() -> None:
    assert [host.name for host in hosts_named(["alpha:1", "alpha:2"])] == ["alpha", "alpha-2"]


@pytest.mark.parametrize("word", ["10.0.0.0/24", "fe80::/10", "ftp://alpha", "a..b", "u:p@alpha"])
def test_what_is_no_machine_is_refused(word: str) -> None:
    with pytest.raises(UserError, match="cannot be asked"):
        hosts_named([word])


def test_a_written_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    hosts = (Host(name="alpha", url="http://alpha:11434"), Host(name="b", url="http://b:1"))
    write_fleet(path, hosts)
    assert read_config(path).hosts == hosts
    assert [entry.name for entry in tmp_path.iterdir()] == ["fleet.yaml"]


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        write_fleet(path, [Host(name="alpha", url="http://alpha")])
    assert path.read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["fleet.yaml"]


def test_force_writes_over_it(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("mine")
    write_fleet(path, [Host(name="alpha", url="http://alpha")], force=True)
    assert read_config(path).hosts[0].name == "alpha"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_fleet(tmp_path / "no" / "fleet.yaml", [Host(name="alpha", url="http://alpha")])
