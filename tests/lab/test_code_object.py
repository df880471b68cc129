"""Reading code objects that a real compiler wrote."""

import pytest

from rocm_pipeline.lab.code_object import CodeObjectError, read_code_object
from rocm_pipeline.lab.toolchain import Toolchain


def test_parameters_carry_their_name_offset_and_size(
    toolchain: Toolchain, scale_source: str
) -> None:
    content = read_code_object(toolchain.compile(scale_source, "gfx90a").code_object)
    kernel = content.kernel("scale_f32")

    assert kernel is not None
    assert [(a.name, a.offset, a.size, a.is_pointer) for a in kernel.arguments] == [
        ("x", 0, 8, True),
        ("y", 8, 8, True),
        ("n", 16, 4, False),
        ("factor", 20, 4, False),
    ]
    assert kernel.max_workgroup == 256
    assert kernel.wave == 64
    assert kernel.scratch_bytes == 0


def test_a_kernel_that_is_not_there_is_none(toolchain: Toolchain, scale_source: str) -> None:
    content = read_code_object(toolchain.compile(scale_source, "gfx1100").code_object)

    assert content.kernel("scale_f16") is None


@pytest.mark.parametrize("keep", [0, 10, 64, 700])
def test_a_truncated_object_is_refused(toolchain: Toolchain, scale_source: str, keep: int) -> None:
    content = toolchain.compile(scale_source, "gfx942").code_object

    with pytest.raises(CodeObjectError):
        read_code_object(content[:keep])


def test_a_file_that_is_no_code_object_is_refused() -> None:
    with pytest.raises(CodeObjectError):
        read_code_object(b"\x7fELF and nothing more")
