// Norms and shares of one step. Sums of squares are exact over 40 decades: a float's squares
// underflow below 1e-22 and overflow above 1e19, so lanes near either end are summed again in
// double precision. Only those: a replicate's numbers must not depend on its neighbours'.
#pragma once

#include "lane.h"

constexpr double SAFE_LOW = 1e-15, SAFE_HIGH = 1e15;  // a root mean square between them is right
constexpr int SUMMED_AT_ONCE = 512;                   // squares; their sums are doubles

// Rare, and so kept out of what calls it.
template <class Number>
static __attribute__((noinline, cold)) Wide squares_in_doubles(int count, Number number) {
    Wide sum{};
    for (int i = 0; i < count; ++i) {
        Wide each = wide(number(i));
        sum += each * each;
    }
    return sum;
}

// A sum of `count` squares, found in floats; where those give out, found again from `number`.
template <class Number>
static inline Wide settled(Wide sum, int count, Number number) {
    double low = SAFE_LOW * SAFE_LOW * count, high = SAFE_HIGH * SAFE_HIGH * count;
    auto outside = ~((sum > low) & (sum < high));
    if (__builtin_expect(!any(outside), true)) return sum;
    return outside ? squares_in_doubles(count, number) : sum;
}

static __attribute__((noinline)) Wide squares(const Lane* numbers, int count) {
    constexpr int SUMS = 4;  // one alone would wait for its own additions
    Wide sum{};
    for (int from = 0; from < count; from += SUMMED_AT_ONCE) {
        int to = count - from < SUMMED_AT_ONCE ? count : from + SUMMED_AT_ONCE;
        Several parts[SUMS] = {};
        int i = from;
        for (; i + SUMS * NEIGHBOURS <= to; i += SUMS * NEIGHBOURS) {
#pragma GCC unroll 4
            for (int part = 0; part < SUMS; ++part) {
                Several each = get<Several>(numbers + i + part * NEIGHBOURS);
                parts[part] += each * each;
            }
        }
        for (; i < to; ++i) parts[0] += widened(numbers[i] * numbers[i]);
        sum += wide(folded((parts[0] + parts[1]) + (parts[2] + parts[3])));
    }
    return settled(sum, count, [=](int i) { return numbers[i]; });
}

static inline Lane norm(const Lane* numbers, int count) {
    return narrow(root(squares(numbers, count)));
}

static inline Lane rms(const Lane* numbers, int count) {
    return narrow(root(squares(numbers, count) / (double)count));
}

static __attribute__((noinline)) Lane sum_of(const Lane* numbers, int count) {
    constexpr int SUMS = 4;
    Several parts[SUMS] = {};
    int i = 0;
    for (; i + SUMS * NEIGHBOURS <= count; i += SUMS * NEIGHBOURS) {
#pragma GCC unroll 4
        for (int part = 0; part < SUMS; ++part) parts[part] += get<Several>(numbers + i + part * NEIGHBOURS);
    }
    for (; i < count; ++i) parts[0] += widened(numbers[i]);
    return folded((parts[0] + parts[1]) + (parts[2] + parts[3]));
}

// Each is divided first, so that the sum cannot overflow.
static inline Lane mean_magnitude(const Lane* numbers, int count) {
    float share = 1.0f / (float)count;
    Several sum{};
    each_number(count, [&](int i, auto vector) {
        sum += widened(magnitude(get<decltype(vector)>(numbers + i)) * share);
    });
    return folded(sum);
}

// How many entries are NaN or Inf.
static inline Lane nonfinite(const Lane* numbers, int count, Lane norm) {
    Lane found = all(0.0f);
    if (!any((norm - norm) != 0.0f)) return found;
    for (int i = 0; i < count; ++i) {
        Lane zero = numbers[i] - numbers[i];
        found += counted(zero != zero);
    }
    return found;
}

// Mean over units of the standard deviation over samples.
static inline Lane spread(const Lane* numbers, int units, int samples) {
    Lane sum = all(0.0f);
    for (int unit = 0; unit < units; ++unit) {
        const Lane* own = numbers + (std::ptrdiff_t)unit * samples;
        Lane mean = all(0.0f), left = all(0.0f), square = all(0.0f);
        for (int i = 0; i < samples; ++i) mean += own[i];
        mean /= (float)samples;
        for (int i = 0; i < samples; ++i) {
            left += own[i] - mean;  // what rounding left in: of a sigmoid stack, most of the spread
            square += (own[i] - mean) * (own[i] - mean);
        }
        left /= (float)samples;
        sum += root(at_least(square / (float)samples - left * left, all(0.0f)));
    }
    return sum / (float)units;
}

// Share of units whose incoming weights [units, inputs] differ from every other unit's.
static inline Lane distinct_units(const Lane* weights, int units, int inputs) {
    if (units == 1) return all(1.0f);
    Lane found = all(0.0f);
    for (int unit = 0; unit < units; ++unit) {
        Bits alone = (Bits)all(0.0f) == 0;
        for (int other = 0; other < units; ++other) {
            if (other == unit) continue;
            Bits equal = (Bits)all(0.0f) == 0;
            for (int i = 0; i < inputs && any(equal); ++i)
                equal &= weights[unit * inputs + i] == weights[other * inputs + i];
            alone &= ~equal;
        }
        found += counted(alone);
    }
    return found / (float)units;
}

constexpr int BINS = 80;
constexpr float EDGE = 10.0f;  // counts run from -EDGE to EDGE; what lies outside is in the outer bins

// Adds counts to [LANES] rows of BINS, `row` apart.
static inline void count_into(std::int32_t* counts, std::ptrdiff_t row, const Lane* numbers, int count) {
    for (int i = 0; i < count; ++i) {
        Lane place = (numbers[i] + EDGE) / (2 * EDGE / BINS);
        place = place == place ? place : all(0.0f);
        place = at_most(at_least(place, all(0.0f)), all(BINS - 1.0f));
        for (int lane = 0; lane < LANES; ++lane) ++counts[lane * row + (int)place[lane]];
    }
}
