// threadIdx, blockIdx, blockDim and gridDim, asked of the runtime.
#pragma once

namespace hip_detail {

template <int first> struct index_triple {
    __declspec(property(get = read_x)) unsigned x;
    __declspec(property(get = read_y)) unsigned y;
    __declspec(property(get = read_z)) unsigned z;
    HIP_DETAIL_FUNCTION unsigned read_x() { return hip_emulator_indices[first]; }
    HIP_DETAIL_FUNCTION unsigned read_y() { return hip_emulator_indices[first + 1]; }
    HIP_DETAIL_FUNCTION unsigned read_z() { return hip_emulator_indices[first + 2]; }
    HIP_DETAIL_MEMBER operator dim3() const { return dim3(read_x(), read_y(), read_z()); }
};

}  // namespace hip_detail

static constexpr hip_detail::index_triple<0> threadIdx{};
static constexpr hip_detail::index_triple<3> blockIdx{};
static constexpr hip_detail::index_triple<6> blockDim{};
static constexpr hip_detail::index_triple<9> gridDim{};
