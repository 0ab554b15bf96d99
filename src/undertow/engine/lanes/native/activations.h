// The activation functions: one struct and one line of the list each. `back` is there where
// multiplying by the slope would not do what PyTorch does with NaN and Inf.
#pragma once

#include "functions.h"
#include "measure.h"
#include "names.h"

constexpr float LEAK = 0.01f;
constexpr float SELU_SCALE = 1.0507009873554805f;
constexpr float SELU_ALPHA = 1.6732632423543772f;

template <class Vector>
struct BySlope {
    static Vector back(Vector delta, Vector, Vector slope) { return delta * slope; }
};

template <class Vector>
struct Sigmoid : BySlope<Vector> {
    static constexpr float steepest = 0.25f;
    static Vector value(Vector z) { return logistic(z); }
    static Vector slope(Vector, Vector x) { return (1.0f - x) * x; }
};

template <class Vector>
struct Tanh : BySlope<Vector> {
    static constexpr float steepest = 1.0f;
    static Vector value(Vector z) { return hyperbolic_tangent(z); }
    static Vector slope(Vector, Vector x) { return 1.0f - x * x; }
};

template <class Vector>
struct Relu {
    static constexpr float steepest = 1.0f;
    static Vector value(Vector z) { return at_least(z, Vector{}); }
    static Vector slope(Vector z, Vector) { return ones<Vector>(z > 0.0f); }
    static Vector back(Vector delta, Vector z, Vector) { return z <= 0.0f ? Vector{} : delta; }
};

template <class Vector>
struct LeakyRelu : BySlope<Vector> {
    static constexpr float steepest = 1.0f;
    static Vector value(Vector z) { return at_least(z, LEAK * z); }
    static Vector slope(Vector z, Vector) { return z > 0.0f ? every<Vector>(1.0f) : every<Vector>(LEAK); }
};

template <class Vector>
struct Elu : BySlope<Vector> {
    static constexpr float steepest = 1.0f;
    static Vector value(Vector z) { return z > 0.0f ? z : exponential_less_one(z); }
    static Vector slope(Vector z, Vector) { return exponential(at_most(z, Vector{})); }
};

template <class Vector>
struct Selu : BySlope<Vector> {
    static constexpr float steepest = SELU_SCALE * SELU_ALPHA;
    static Vector value(Vector z) {
        return SELU_SCALE * (z > 0.0f ? z : SELU_ALPHA * exponential_less_one(z));
    }
    static Vector slope(Vector z, Vector) {
        Vector below = SELU_SCALE * SELU_ALPHA * exponential(at_most(z, Vector{}));
        return z > 0.0f ? every<Vector>(SELU_SCALE) : below;
    }
};

template <class Vector>
struct Gelu : BySlope<Vector> {
    static constexpr float steepest = 1.1289041452f;
    static Vector value(Vector z) { return z * normal_share(z); }
    static Vector slope(Vector z, Vector) {
        Vector density = exponential(-0.5f * z * z) * 0.39894228040143268f;
        return normal_share(z) + z * density;
    }
};

template <class Vector>
struct Silu : BySlope<Vector> {
    static constexpr float steepest = 1.0998393201f;
    static Vector value(Vector z) { return z * logistic(z); }
    static Vector slope(Vector z, Vector x) {
        Vector gate = logistic(z);
        return gate + x * (1.0f - gate);
    }
};

template <class Vector>
struct Softplus : BySlope<Vector> {
    static constexpr float steepest = 1.0f;
    static Vector value(Vector z) {
        return at_least(z, Vector{}) + logarithm_of_one_and(exponential(-magnitude(z)));
    }
    static Vector slope(Vector z, Vector) { return logistic(z); }
};

template <class Vector>
struct HardTanh : BySlope<Vector> {
    static constexpr float steepest = 1.0f;
    static Vector value(Vector z) { return at_most(at_least(z, every<Vector>(-1.0f)), every<Vector>(1.0f)); }
    static Vector slope(Vector z, Vector) { return ones<Vector>(magnitude(z) < 1.0f); }
};

template <class Vector>
struct Linear : BySlope<Vector> {
    static constexpr float steepest = 1.0f;
    static Vector value(Vector z) { return z; }
    static Vector slope(Vector, Vector) { return every<Vector>(1.0f); }
};

// What is measured of a layer as it is passed: root mean squares before the activation, after it, and
// of its slopes; the shares of (unit, sample) pairs that are saturated, and of units whose slope is 0
// for every sample.
struct Passed {
    Lane before, after, slope, saturated, dead;
};

constexpr float SATURATED_BELOW = 0.05f;

struct Activation {
    void (*forward)(const Lane* z, Lane* x, int numbers);
    void (*back)(Lane* delta, const Lane* z, const Lane* x, int numbers);
    Passed (*measure)(const Lane* z, const Lane* x, int units, int samples);
};

template <template <class> class Function>
static void forward_through(const Lane* z, Lane* x, int numbers) {
    each_number(numbers, [=](int i, auto vector) {
        using Vector = decltype(vector);
        put(x + i, Function<Vector>::value(get<Vector>(z + i)));
    });
}

template <template <class> class Function>
static void back_through(Lane* delta, const Lane* z, const Lane* x, int numbers) {
    each_number(numbers, [=](int i, auto vector) {
        using Vector = decltype(vector);
        Vector before = get<Vector>(z + i), slope = Function<Vector>::slope(before, get<Vector>(x + i));
        put(delta + i, Function<Vector>::back(get<Vector>(delta + i), before, slope));
    });
}

template <template <class> class Function>
static Passed passed(const Lane* z, const Lane* x, int units, int samples) {
    constexpr float limit = SATURATED_BELOW * Function<Lane>::steepest;
    Lane dead{};
    Several saturated{};
    Wide before{}, after{}, steep{};
    for (int unit = 0; unit < units; ++unit) {
        Several sizes{};
        for (int from = 0; from < samples; from += SUMMED_AT_ONCE) {
            std::ptrdiff_t at = (std::ptrdiff_t)unit * samples + from;
            Several befores{}, afters{}, slopes{};
            each_number(samples - from < SUMMED_AT_ONCE ? samples - from : SUMMED_AT_ONCE, [&](int i, auto vector) {
                using Vector = decltype(vector);
                Vector in = get<Vector>(z + at + i), out = get<Vector>(x + at + i);
                Vector slope = Function<Vector>::slope(in, out), size = magnitude(slope);
                befores += widened(in * in);
                afters += widened(out * out);
                slopes += widened(slope * slope);
                sizes += widened(size);
                saturated += widened(ones<Vector>(size < limit));
            });
            before += wide(folded(befores));
            after += wide(folded(afters));
            steep += wide(folded(slopes));
        }
        dead += counted(folded(sizes) == 0.0f);
    }
    int pairs = units * samples;
    before = settled(before, pairs, [=](int i) { return z[i]; });
    after = settled(after, pairs, [=](int i) { return x[i]; });
    steep = settled(steep, pairs, [=](int i) { return Function<Lane>::slope(z[i], x[i]); });
    auto mean_root = [=](Wide sum) { return narrow(root(sum / (double)pairs)); };
    return {mean_root(before), mean_root(after), mean_root(steep), folded(saturated) / (float)pairs,
            dead / (float)units};
}

template <template <class> class Function>
static constexpr Activation entry() {
    return {forward_through<Function>, back_through<Function>, passed<Function>};
}

#define ACTIVATION_NAMES(EACH)   \
    EACH(Sigmoid, "sigmoid")     \
    EACH(Tanh, "tanh")           \
    EACH(Relu, "relu")           \
    EACH(LeakyRelu, "leaky_relu") \
    EACH(Elu, "elu")             \
    EACH(Selu, "selu")           \
    EACH(Gelu, "gelu")           \
    EACH(Silu, "silu")           \
    EACH(Softplus, "softplus")   \
    EACH(HardTanh, "hard_tanh")  \
    EACH(Linear, "linear")

#define ENTRY_OF(function, name) entry<function>(),
static const Activation ACTIVATIONS[] = {ACTIVATION_NAMES(ENTRY_OF)};
constexpr int ACTIVATION_COUNT = sizeof(ACTIVATIONS) / sizeof(Activation);
