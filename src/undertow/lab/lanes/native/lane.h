// A lane is one replicate: every scalar of a network is a vector of eight, one replicate in each.
#pragma once

#include <cstdint>

constexpr int LANES = 8;

typedef float Lane __attribute__((vector_size(4 * LANES)));
typedef std::int32_t Bits __attribute__((vector_size(4 * LANES)));
typedef double Wide __attribute__((vector_size(8 * LANES)));

static inline Lane all(float value) {
    return Lane{value, value, value, value, value, value, value, value};
}

static inline Wide wide(Lane value) { return __builtin_convertvector(value, Wide); }
static inline Lane narrow(Wide value) { return __builtin_convertvector(value, Lane); }

// Comparisons are written so that NaN fails them and the value itself is kept: maximum(NaN, 0) is
// NaN, as in PyTorch.
static inline Lane at_least(Lane value, Lane floor) { return value < floor ? floor : value; }
static inline Lane at_most(Lane value, Lane ceiling) { return value > ceiling ? ceiling : value; }

static inline Lane magnitude(Lane value) { return (Lane)((Bits)value & 0x7fffffff); }

// 1 where a comparison holds, 0 elsewhere: what is counted.
static inline Lane counted(Bits holds) { return holds ? all(1.0f) : all(0.0f); }

static inline bool any(Bits holds) {
    Bits found = holds;
    std::int32_t either = 0;
    for (int lane = 0; lane < LANES; ++lane) either |= found[lane];
    return either != 0;
}

static inline Lane root(Lane value) {
    Lane found;
    for (int lane = 0; lane < LANES; ++lane) found[lane] = __builtin_sqrtf(value[lane]);
    return found;
}

static inline Wide root(Wide value) {
    Wide found;
    for (int lane = 0; lane < LANES; ++lane) found[lane] = __builtin_sqrt(value[lane]);
    return found;
}
