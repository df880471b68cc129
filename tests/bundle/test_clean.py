"""The workspace of a verification."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from rocm_pipeline.bundle.clean import verify_clean


def test_what_a_killed_process_leaves_goes_with_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, env: dict[str, str], **__: object) -> None:
        tempfile.mkdtemp(dir=env["TMPDIR"])
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", killed)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        verify_clean(tmp_path / "bundle", targets=tmp_path)
    assert list(tmp_path.iterdir()) == []
