"""Where all state lies: which folders can be a home."""

from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.home import HOME_VARIABLE, Home


@pytest.mark.parametrize("name", ["a[bc]", "a*b", "a?b", "a%41b", "a::b"])
def test_a_path_that_would_be_read_as_another_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="may not hold") as refused:
        Home(tmp_path / name / "home")
    assert refused.value.where == str(tmp_path / name / "home")


def test_so_is_the_default_in_such_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    (tmp_path / "[checkout]").mkdir()
    monkeypatch.chdir(tmp_path / "[checkout]")
    with pytest.raises(UserError, match=r"may not hold '\['"):
        Home.from_environment()
