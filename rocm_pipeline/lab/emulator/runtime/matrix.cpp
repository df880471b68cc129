// Products of small matrices by a whole wave: MFMA and WMMA.
//
// Layouts are those of AMD's instruction set architectures: which lane holds which element. Sums
// are taken in double, or in 32-bit integers, and rounded once.
#include "findings.h"
#include "sites.h"

namespace {

// Known to include/hip/detail/emulator/builtins_matrix.h.
enum Element { f16 = 0, bf16 = 1, f32 = 2, f64 = 3, i8 = 4, u8 = 5 };
enum Layout { cdna = 0, cdna_double = 1, gfx11 = 2, gfx12 = 3 };

struct Shape {
    Layout layout;
    Element left, right;
    unsigned side, depth;
};

constexpr unsigned most_fragment = 32;
constexpr unsigned element_bytes[] = {2, 2, 4, 8, 1, 1};

// What each lane came with. Two sets in turn: a lane may be one product ahead of the others.
unsigned char parts[2][most_lanes][2][most_fragment];
unsigned char turn[most_lanes];

Shape unpacked(unsigned shape) {
    return {
        static_cast<Layout>(shape & 15), static_cast<Element>(shape >> 4 & 15),
        static_cast<Element>(shape >> 8 & 15), shape >> 12 & 255, shape >> 20};
}

unsigned items_of(const Shape& shape) {
    return shape.layout == gfx11 ? shape.depth : shape.depth * shape.side / wave_size;
}

double number(Element kind, const unsigned char* place) {
    switch (kind) {
        case f16: {
            _Float16 value;
            memcpy(&value, place, 2);
            return static_cast<double>(static_cast<float>(value));
        }
        case bf16: {
            uint16_t bits;
            memcpy(&bits, place, 2);
            return static_cast<double>(
                __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16));
        }
        case f32: {
            float value;
            memcpy(&value, place, 4);
            return static_cast<double>(value);
        }
        case f64: {
            double value;
            memcpy(&value, place, 8);
            return value;
        }
        case i8: return static_cast<signed char>(*place);
        default: return *place;
    }
}

// The row that item `item` of lane `lane` of the result belongs to; its column is lane % side.
unsigned row_of(const Shape& shape, unsigned lane, unsigned item) {
    unsigned group = lane / shape.side, groups = wave_size / shape.side;
    switch (shape.layout) {
        case cdna: return item / 4 * 4 * groups + 4 * group + item % 4;
        case cdna_double: return 4 * item + group;
        case gfx11: return 2 * item + group;
        default: return 8 * group + item;
    }
}

// Element `k` of row (of A) or column (of B) `line`.
double element(
    const unsigned char (*lanes)[2][most_fragment], const Shape& shape, unsigned which,
    unsigned line, unsigned k) {
    unsigned items = items_of(shape);
    Element kind = which ? shape.right : shape.left;
    const unsigned char* part = lanes[line + shape.side * (k / items)][which];
    return number(kind, part + k % items * element_bytes[kind]);
}

double sum_of_products(
    const unsigned char (*lanes)[2][most_fragment], const Shape& shape, unsigned row,
    unsigned column) {
    double sum = 0;
    for (unsigned k = 0; k < shape.depth; ++k)
        sum = __builtin_fma(
            element(lanes, shape, 0, row, k), element(lanes, shape, 1, column, k), sum);
    return sum;
}

void require(bool holds, Kind kind, int site) {
    if (holds) return;
    report(kind, site, Place{});
    stop_launch();
}

// On gfx11 the upper half of the wave must hold the same A and B as the lower one.
bool repeated(const unsigned char (*lanes)[2][most_fragment]) {
    for (unsigned i = 0; i < 16; ++i)
        if (memcmp(lanes[i], lanes[i + 16], sizeof(lanes[i])) != 0) return false;
    return true;
}

}  // namespace

extern "C" EXPORTED void hip_emulator_matrix(
    const void* a, const void* b, const void* c, void* d, unsigned packed_shape, int site) {
    Shape shape = unpacked(packed_shape);
    unsigned bytes = items_of(shape) * element_bytes[shape.left];
    const Lane& self = *current;
    unsigned set = turn[self.index] ^= 1;
    unsigned char (*mine)[most_fragment] = parts[set][self.index];
    memset(mine, 0, sizeof(parts[0][0]));
    memcpy(mine[0], a, bytes);
    memcpy(mine[1], b, bytes);
    wait(State::in_wave_operation, site);
    constexpr uint64_t everyone = ~0ull >> (64 - wave_size);
    require(waves[self.wave].mask == everyone, Kind::partial_matrix, site);
    const unsigned char (*lanes)[2][most_fragment] = parts[set] + self.wave * wave_size;
    if (shape.layout == gfx11) require(repeated(lanes), Kind::matrix_not_repeated, site);
    unsigned results = shape.side * shape.side / wave_size, column = self.in_wave % shape.side;
    for (unsigned item = 0; item < results; ++item) {
        double sum = sum_of_products(lanes, shape, row_of(shape, self.in_wave, item), column);
        if (shape.left == f64) {
            double value = static_cast<const double*>(c)[item] + sum;
            memcpy(static_cast<double*>(d) + item, &value, sizeof(value));
        } else if (shape.left >= i8) {
            uint32_t value = static_cast<const uint32_t*>(c)[item] +
                             static_cast<uint32_t>(static_cast<int32_t>(sum));
            memcpy(static_cast<uint32_t*>(d) + item, &value, sizeof(value));
        } else {
            float value =
                static_cast<float>(static_cast<double>(static_cast<const float*>(c)[item]) + sum);
            memcpy(static_cast<float*>(d) + item, &value, sizeof(value));
        }
    }
}
