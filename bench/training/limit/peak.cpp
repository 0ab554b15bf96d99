// Multiply-adds a second that one core is capable of: sixteen chains in registers, nothing loaded.
#if defined(__AVX512F__)
typedef float V __attribute__((vector_size(64)));
#else
typedef float V __attribute__((vector_size(32)));
#endif

extern "C" int peak_numbers() { return 16 * (int)(sizeof(V) / sizeof(float)); }

extern "C" float peak(long rounds, float by) {
    V sums[16], factor = V{} + by, start = V{} + 1.0f;
    for (int chain = 0; chain < 16; ++chain) sums[chain] = V{} + by * (float)chain;  // or they are one
    for (long i = 0; i < rounds; ++i)
#pragma GCC unroll 16
        for (int chain = 0; chain < 16; ++chain) sums[chain] = sums[chain] * factor + start;
    V all = {};
    for (V sum : sums) all += sum;
    return all[0];
}
