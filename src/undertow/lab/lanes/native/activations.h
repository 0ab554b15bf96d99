// The activation functions: one struct and one line of the table each. `back` is there where
// multiplying by the slope would not do what PyTorch does with NaN and Inf.
#pragma once

#include "functions.h"
#include "measure.h"

constexpr float LEAK = 0.01f;
constexpr float SELU_SCALE = 1.0507009873554805f;
constexpr float SELU_ALPHA = 1.6732632423543772f;

struct BySlope {
    static Lane back(Lane delta, Lane, Lane slope) { return delta * slope; }
};

struct Sigmoid : BySlope {
    static constexpr float steepest = 0.25f;
    static Lane value(Lane z) { return logistic(z); }
    static Lane slope(Lane, Lane x) { return (1.0f - x) * x; }
};

struct Tanh : BySlope {
    static constexpr float steepest = 1.0f;
    static Lane value(Lane z) { return hyperbolic_tangent(z); }
    static Lane slope(Lane, Lane x) { return 1.0f - x * x; }
};

struct Relu {
    static constexpr float steepest = 1.0f;
    static Lane value(Lane z) { return at_least(z, all(0.0f)); }
    static Lane slope(Lane z, Lane) { return counted(z > 0.0f); }
    static Lane back(Lane delta, Lane z, Lane) { return z <= 0.0f ? all(0.0f) : delta; }
};

struct LeakyRelu : BySlope {
    static constexpr float steepest = 1.0f;
    static Lane value(Lane z) { return at_least(z, LEAK * z); }
    static Lane slope(Lane z, Lane) { return z > 0.0f ? all(1.0f) : all(LEAK); }
};

struct Elu : BySlope {
    static constexpr float steepest = 1.0f;
    static Lane value(Lane z) { return z > 0.0f ? z : exponential_less_one(z); }
    static Lane slope(Lane z, Lane) { return exponential(at_most(z, all(0.0f))); }
};

struct Selu : BySlope {
    static constexpr float steepest = SELU_SCALE * SELU_ALPHA;
    static Lane value(Lane z) {
        return SELU_SCALE * (z > 0.0f ? z : SELU_ALPHA * exponential_less_one(z));
    }
    static Lane slope(Lane z, Lane) {
        Lane below = SELU_SCALE * SELU_ALPHA * exponential(at_most(z, all(0.0f)));
        return z > 0.0f ? all(SELU_SCALE) : below;
    }
};

struct Gelu : BySlope {
    static constexpr float steepest = 1.1289041452f;
    static Lane value(Lane z) { return z * normal_share(z); }
    static Lane slope(Lane z, Lane) {
        Lane density = exponential(-0.5f * z * z) * 0.39894228040143268f;
        return normal_share(z) + z * density;
    }
};

struct Silu : BySlope {
    static constexpr float steepest = 1.0998393201f;
    static Lane value(Lane z) { return z * logistic(z); }
    static Lane slope(Lane z, Lane x) {
        Lane gate = logistic(z);
        return gate + x * (1.0f - gate);
    }
};

struct Softplus : BySlope {
    static constexpr float steepest = 1.0f;
    static Lane value(Lane z) {
        return at_least(z, all(0.0f)) + logarithm_of_one_and(exponential(-magnitude(z)));
    }
    static Lane slope(Lane z, Lane) { return logistic(z); }
};

struct HardTanh : BySlope {
    static constexpr float steepest = 1.0f;
    static Lane value(Lane z) { return at_most(at_least(z, all(-1.0f)), all(1.0f)); }
    static Lane slope(Lane z, Lane) { return counted(magnitude(z) < 1.0f); }
};

struct Linear : BySlope {
    static constexpr float steepest = 1.0f;
    static Lane value(Lane z) { return z; }
    static Lane slope(Lane, Lane) { return all(1.0f); }
};

// What is measured of a layer's slopes: their root mean square, the shares of (unit, sample) pairs
// that are saturated, and of units whose slope is 0 for every sample.
struct Slopes {
    Lane rms, saturated, dead;
};

constexpr float SATURATED_BELOW = 0.05f;

struct Activation {
    void (*forward)(const Lane* z, Lane* x, int numbers);
    void (*back)(Lane* delta, const Lane* z, const Lane* x, int numbers);
    Slopes (*measure)(const Lane* z, const Lane* x, int units, int samples);
};

template <class Function>
static void forward_through(const Lane* z, Lane* x, int numbers) {
    for (int i = 0; i < numbers; ++i) x[i] = Function::value(z[i]);
}

template <class Function>
static void back_through(Lane* delta, const Lane* z, const Lane* x, int numbers) {
    for (int i = 0; i < numbers; ++i)
        delta[i] = Function::back(delta[i], z[i], Function::slope(z[i], x[i]));
}

template <class Function>
static Slopes slopes_of(const Lane* z, const Lane* x, int units, int samples) {
    constexpr float limit = SATURATED_BELOW * Function::steepest;
    Lane saturated = all(0.0f), dead = all(0.0f);
    for (int unit = 0; unit < units; ++unit) {
        Lane sizes = all(0.0f);
        for (int i = unit * samples; i < (unit + 1) * samples; ++i) {
            Lane size = magnitude(Function::slope(z[i], x[i]));
            sizes += size;
            saturated += counted(size < limit);
        }
        dead += counted(sizes == 0.0f);
    }
    int pairs = units * samples;
    Wide sum = squares_of([=](int i) { return Function::slope(z[i], x[i]); }, pairs);
    return {narrow(root(sum / (double)pairs)), saturated / (float)pairs, dead / (float)units};
}

template <class Function>
static constexpr Activation entry() {
    return {forward_through<Function>, back_through<Function>, slopes_of<Function>};
}

// In the order of `ACTIVATIONS` in undertow/spec.py.
static const Activation ACTIVATIONS[] = {
    entry<Sigmoid>(), entry<Tanh>(),     entry<Relu>(),     entry<LeakyRelu>(),
    entry<Elu>(),     entry<Selu>(),     entry<Gelu>(),     entry<Silu>(),
    entry<Softplus>(), entry<HardTanh>(), entry<Linear>(),
};
