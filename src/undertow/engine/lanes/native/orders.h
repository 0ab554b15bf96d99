// The order in which a replicate meets the samples, drawn as NumPy's `Generator.permutation` draws
// it: Fisher and Yates's shuffle (Durstenfeld 1964, doi:10.1145/364520.364540), where a number above
// the place to fill is drawn again.
#pragma once

#include <cstdint>
#include <utility>

// The beginning of NumPy's `bitgen_t` (numpy/random/bitgen.h).
struct Random {
    void* state;
    std::uint64_t (*next_uint64)(void*);
    std::uint32_t (*next_uint32)(void*);
};

static inline void shuffled(const Random& random, std::int32_t* order, std::int32_t samples) {
    for (std::int32_t i = 0; i < samples; ++i) order[i] = i;
    for (std::int32_t i = samples - 1; i > 0; --i) {
        std::uint32_t mask = 0xffffffffu >> __builtin_clz((std::uint32_t)i), place;
        do place = random.next_uint32(random.state) & mask;
        while (place > (std::uint32_t)i);
        std::swap(order[i], order[place]);
    }
}
