// A lane is one replicate: every scalar of a network is a vector of eight, one replicate in each; of
// four where a register holds no more (SSE2, NEON): comparisons of a vector that does not fit are
// taken apart by GCC, number by number.
//
// A lane depends on itself alone, to the bit, whatever its neighbours are, NaN and Inf included: no
// sum, no largest and no shuffle crosses from one lane to another. Only `any` looks at all of them,
// and only to leave out work that would have changed no lane's bits; what it decides is then taken
// lane by lane. tests/engine/test_lanes_neighbours.py holds it.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#if defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float Lane __attribute__((vector_size(4 * LANES)));
typedef std::int32_t Bits __attribute__((vector_size(4 * LANES)));
typedef double Wide __attribute__((vector_size(8 * LANES)));

// As many numbers as a register holds: on AVX-512 two neighbours, which are two samples or two
// weights, for the same replicates. What is done number by number is done to several at once.
#if defined(__AVX512F__)
typedef float Several __attribute__((vector_size(8 * LANES)));
#else
typedef Lane Several;
#endif
constexpr int NEIGHBOURS = sizeof(Several) / sizeof(Lane);

template <class Vector>
static inline Vector every(float value) {
    return Vector{} + value;
}
static inline Lane all(float value) { return every<Lane>(value); }

template <class Vector>
static inline Vector get(const Lane* from) {
    Vector found;
    __builtin_memcpy(&found, from, sizeof found);
    return found;
}
template <class Vector>
static inline void put(Lane* to, Vector value) {
    __builtin_memcpy(to, &value, sizeof value);
}

// One number beside itself; the last of an odd row beside 0; and the sum of neighbours.
#if defined(__AVX512F__)
static inline Several doubled(Lane value) {
    return __builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
}
static inline Several widened(Several value) { return value; }
static inline Several widened(Lane value) {
    return __builtin_shufflevector(value, Lane{}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
static inline Lane folded(Lane value) { return value; }
static inline Lane folded(Several value) {
    return __builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7) +
           __builtin_shufflevector(value, value, 8, 9, 10, 11, 12, 13, 14, 15);
}
#else
static inline Several doubled(Lane value) { return value; }
static inline Several widened(Lane value) { return value; }
static inline Lane folded(Several value) { return value; }
#endif

template <class Vector>
static inline Vector repeated(Lane value) {
    if constexpr (sizeof(Vector) == sizeof(Lane))
        return value;
    else
        return doubled(value);
}

// Calls `work` with the places 0 to count - 1, several at a time while there are as many, and a
// vector of the type to use.
template <class Work>
static inline void each_number(int count, Work work) {
    int i = 0;
    for (; i + NEIGHBOURS <= count; i += NEIGHBOURS) work(i, Several{});
    if (NEIGHBOURS > 1)
        for (; i < count; ++i) work(i, Lane{});
}

static inline Wide wide(Lane value) { return __builtin_convertvector(value, Wide); }
static inline Lane narrow(Wide value) { return __builtin_convertvector(value, Lane); }

// Comparisons are written so that NaN fails them and the value itself is kept: maximum(NaN, 0) is
// NaN, as in PyTorch.
template <class Vector>
static inline Vector at_least(Vector value, Vector floor) {
    return value < floor ? floor : value;
}
template <class Vector>
static inline Vector at_most(Vector value, Vector ceiling) {
    return value > ceiling ? ceiling : value;
}

// Whole numbers of the same bits.
template <class Vector>
using BitsOf = decltype(Vector{} < Vector{});

template <class Vector>
static inline Vector magnitude(Vector value) {
    return (Vector)((BitsOf<Vector>)value & 0x7fffffff);
}

// 1 where a comparison holds, 0 elsewhere: what is counted.
template <class Vector>
static inline Vector ones(BitsOf<Vector> holds) {
    return holds ? every<Vector>(1.0f) : Vector{};
}
static inline Lane counted(Bits holds) { return ones<Lane>(holds); }

template <class Whole>
static inline bool any(Whole holds) {
    bool found = false;
    for (std::size_t lane = 0; lane < sizeof holds / sizeof holds[0]; ++lane) found |= holds[lane] != 0;
    return found;
}

static inline float root(float value) { return __builtin_sqrtf(value); }
static inline double root(double value) { return __builtin_sqrt(value); }
template <class Vector>
static inline Vector root(Vector value) {
    Vector found{};
    for (std::size_t lane = 0; lane < sizeof found / sizeof found[0]; ++lane) found[lane] = root(value[lane]);
    return found;
}

// value x 2^power, of whole powers from -150 to 150. In two factors: one alone could not reach what
// is below 1e-38.
template <class Vector>
static inline Vector scaled(Vector value, Vector power) {
    power = power == power ? power : Vector{};
    BitsOf<Vector> whole = __builtin_convertvector(power, BitsOf<Vector>), half = whole >> 1;
    return value * (Vector)((half + 127) << 23) * (Vector)((whole - half + 127) << 23);
}

#if defined(__AVX512F__)
// The same, where the compiler does not find the one instruction by itself.
static inline Several at_least(Several value, Several floor) { return _mm512_max_ps(floor, value); }
static inline Several at_most(Several value, Several ceiling) { return _mm512_min_ps(ceiling, value); }
static inline Several root(Several value) { return _mm512_sqrt_ps(value); }
static inline Wide root(Wide value) { return _mm512_sqrt_pd(value); }
static inline Several scaled(Several value, Several power) { return _mm512_scalef_ps(value, power); }
static inline bool any(Bits holds) { return _mm256_movepi32_mask((__m256i)holds) != 0; }
static inline bool any(BitsOf<Wide> holds) { return _mm512_movepi64_mask((__m512i)holds) != 0; }
#endif
