"""The gate of offline compilation: what it measures is there, and what is wrong does not pass."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.offline

CAPABILITIES = (80, 90)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_copy_passes(capability: int) -> None:
    from tests.kernels.offline import compile_kernel
    from tests.kernels.toys import copy

    types = {"x": "*fp32", "y": "*fp32", "count": "i32"}
    found = compile_kernel(copy, types, {"BLOCK": 1024}, capability, num_warps=4)
    assert found.find_faults(tensor_cores=False) == []
    assert 0 < found.registers <= 64
    assert found.warps == 4
    assert found.seconds > 0
    assert found.size > 10
    # The mask of the tail cuts groups of 4 floats, unless the count is known to be a multiple.
    aligned = compile_kernel(
        copy, types, {"BLOCK": 1024}, capability, divisible=["x", "y", "count"], num_warps=4
    )
    assert aligned.wide_loads > 0 == found.wide_loads


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_spills_do_not_pass(capability: int) -> None:
    from tests.kernels.offline import compile_kernel
    from tests.kernels.toys import normalise

    types = {"x": "*fp32", "y": "*fp32"}
    narrow = compile_kernel(normalise, types, {"BLOCK": 1024}, capability, num_warps=1)
    assert narrow.find_faults() == []
    wide = compile_kernel(normalise, types, {"BLOCK": 16384}, capability, num_warps=1)
    assert wide.spill_stores > 64
    assert wide.spill_loads > 64
    assert wide.stack > 64
    assert wide.local_accesses > 0
    assert wide.find_faults() == [
        f"spills {max(wide.spill_stores, wide.spill_loads)} bytes, 0 are allowed"
    ]
    assert wide.find_faults(spill=2**20) == []


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_atomics_do_not_pass(capability: int) -> None:
    from tests.kernels.offline import compile_kernel
    from tests.kernels.toys import count_up

    types = {"x": "*fp32", "total": "*fp32"}
    found = compile_kernel(count_up, types, {"BLOCK": 256}, capability)
    assert found.find_faults() == [f"has {found.atomics} atomic instructions"]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_shared_memory_beyond_the_target_does_not_pass(capability: int) -> None:
    from tests.kernels.offline import SHARED_LIMITS, compile_kernel
    from tests.kernels.toys import multiply

    types = {"x": "*bf16", "y": "*bf16", "z": "*fp32"}
    constants = {"N": 256, "PRECISION": "tf32"}
    found = compile_kernel(multiply, types, constants, capability, num_warps=8)
    assert found.shared > SHARED_LIMITS[capability]
    assert any("shared memory" in fault for fault in found.find_faults(spill=2**20))


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize(
    ("kind", "precision", "expected"),
    [("bf16", "tf32", True), ("fp32", "tf32", True), ("fp32", "ieee", False)],
)
def test_tensor_cores_are_told(capability: int, kind: str, precision: str, expected: bool) -> None:
    from tests.kernels.offline import compile_kernel
    from tests.kernels.toys import multiply

    types = {"x": f"*{kind}", "y": f"*{kind}", "z": "*fp32"}
    constants = {"N": 32, "PRECISION": precision}
    found = compile_kernel(multiply, types, constants, capability)
    assert bool(found.tensor_cores) == expected
    assert found.find_faults(spill=2**20, tensor_cores=expected) == []
    assert found.find_faults(spill=2**20, tensor_cores=not expected) != []


def test_arguments_without_a_value_are_named() -> None:
    from tests.kernels.offline import compile_kernel
    from tests.kernels.toys import copy

    with pytest.raises(ValueError, match="copy takes"):
        compile_kernel(copy, {"x": "*fp32"}, {"BLOCK": 1024}, 80)
