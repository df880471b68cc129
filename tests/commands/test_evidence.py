import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rocm_pipeline.commands.evidence import evidence_app
from rocm_pipeline.resources.bundles import HomeBundles


def test_the_command_that_is_offered_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(_: HomeBundles, _what: str, folder: Path) -> Path:
        return folder

    monkeypatch.setattr(HomeBundles, "export", export)
    folder = str(tmp_path / "it's a folder; rm")
    words = ["export", "k-0123", "--to", folder, "--home", str(tmp_path / "home")]
    done = CliRunner().invoke(evidence_app, words)
    assert done.exit_code == 0, done.output
    offered = done.output.partition("Check it: ")[2].strip()
    assert shlex.split(offered) == ["rocm-pipeline", "evidence", "verify", folder]
