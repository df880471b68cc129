import gc
import subprocess
import sys

from rocm_pipeline.importing import WithoutCollector


def test_blocks_in_one_another_leave_the_collector_off_until_the_outer_one_ends() -> None:
    with WithoutCollector():
        with WithoutCollector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_imported_is_never_looked_through_again() -> None:
    program = "import gc; import rocm_pipeline.definitions; print(gc.get_freeze_count())"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(shown.stdout) > 100_000
