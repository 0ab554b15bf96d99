// Elementary functions without a branch, to a few units in the last place of a float; NaN and Inf
// come out as the C library has them. Polynomials after Moshier's Cephes, single precision.
#pragma once

#include "lane.h"

template <class Vector>
static inline Vector exponential(Vector value) {
    // Adding 1.5 x 2^23 rounds to a whole number. The compiler must not reorder this: no -ffast-math.
    constexpr float ROUND = 12582912.0f;
    Vector x = at_most(at_least(value, every<Vector>(-104.0f)), every<Vector>(89.0f));  // 0 and Inf, to a float
    Vector power = (x * 1.44269504088896341f + ROUND) - ROUND;
    x = x - power * 0.693359375f;
    x = x + power * 2.12194440e-4f;
    Vector sum = every<Vector>(1.9875691500e-4f);
    sum = sum * x + 1.3981999507e-3f;
    sum = sum * x + 8.3334519073e-3f;
    sum = sum * x + 4.1665795894e-2f;
    sum = sum * x + 1.6666665459e-1f;
    sum = sum * x + 5.0000001201e-1f;
    return scaled(sum * x * x + x + 1.0f, power);
}

// Of a positive normal number.
template <class Vector>
static inline Vector logarithm(Vector value) {
    BitsOf<Vector> bits = (BitsOf<Vector>)value;
    BitsOf<Vector> power = ((bits >> 23) & 0xff) - 126;
    Vector x = (Vector)((bits & 0x007fffff) | 0x3f000000);  // from 1/2 to 1
    BitsOf<Vector> small = x < 0.707106781186547524f;
    power = small ? power - 1 : power;
    x = small ? x + x - 1.0f : x - 1.0f;
    Vector square = x * x;
    Vector sum = every<Vector>(7.0376836292e-2f);
    sum = sum * x - 1.1514610310e-1f;
    sum = sum * x + 1.1676998740e-1f;
    sum = sum * x - 1.2420140846e-1f;
    sum = sum * x + 1.4249322787e-1f;
    sum = sum * x - 1.6668057665e-1f;
    sum = sum * x + 2.0000714765e-1f;
    sum = sum * x - 2.4999993993e-1f;
    sum = sum * x + 3.3333331174e-1f;
    Vector whole = __builtin_convertvector(power, Vector);
    Vector found = sum * x * square - whole * 2.12194440e-4f - 0.5f * square + x + whole * 0.693359375f;
    Vector outside = value - value;  // NaN of NaN and of Inf
    return (outside == outside) ? found : value;
}

// log(1 + x) of 0 <= x: the second term gives back what 1 + x rounded away.
template <class Vector>
static inline Vector logarithm_of_one_and(Vector x) {
    Vector sum = x + 1.0f;
    return logarithm(sum) + (x - (sum - 1.0f)) / sum;
}

template <class Vector>
static inline Vector exponential_less_one(Vector x) {
    Vector sum = every<Vector>(1.0f / 5040.0f);
    sum = sum * x + 1.0f / 720.0f;
    sum = sum * x + 1.0f / 120.0f;
    sum = sum * x + 1.0f / 24.0f;
    sum = sum * x + 1.0f / 6.0f;
    sum = sum * x + 0.5f;
    Vector near = sum * x * x + x;
    return magnitude(x) < 0.35f ? near : exponential(x) - 1.0f;
}

template <class Vector>
static inline Vector logistic(Vector x) { return 1.0f / (1.0f + exponential(-x)); }

template <class Vector>
static inline Vector hyperbolic_tangent(Vector x) {
    Vector square = x * x;
    Vector sum = every<Vector>(-5.70498872745e-3f);
    sum = sum * square + 2.06390887954e-2f;
    sum = sum * square - 5.37397155531e-2f;
    sum = sum * square + 1.33314422036e-1f;
    sum = sum * square - 3.33332819422e-1f;
    Vector near = sum * square * x + x;
    Vector far = 1.0f - 2.0f / (exponential(magnitude(x) + magnitude(x)) + 1.0f);
    far = x < 0.0f ? -far : far;
    return magnitude(x) < 0.625f ? near : far;
}

// 1 - erf(|x|), and so the tail of a normal distribution without cancellation.
template <class Vector>
static inline Vector error_tail(Vector x) {
    Vector size = at_most(magnitude(x), every<Vector>(14.0f));
    Vector inverse = 1.0f / at_least(size, every<Vector>(1.0f));
    Vector square = inverse * inverse;
    Vector near = every<Vector>(2.326819970068386e-2f);
    near = near * square - 1.387039388740657e-1f;
    near = near * square + 3.687424674597105e-1f;
    near = near * square - 5.824733027278666e-1f;
    near = near * square + 6.210004621745983e-1f;
    near = near * square - 4.944515323274145e-1f;
    near = near * square + 3.404879937665872e-1f;
    near = near * square - 2.741127028184656e-1f;
    near = near * square + 5.638259427386472e-1f;
    Vector far = every<Vector>(-1.047766399936249e+1f);
    far = far * square + 1.297719955372516e+1f;
    far = far * square - 7.495518717768503e+0f;
    far = far * square + 2.921019019210786e+0f;
    far = far * square - 1.015265279202700e+0f;
    far = far * square + 4.218463358204948e-1f;
    far = far * square - 2.820767439740514e-1f;
    far = far * square + 5.641895067754075e-1f;
    Vector tail = exponential(-size * size) * inverse * (size < 2.0f ? near : far);
    Vector y = size * size;
    Vector middle = every<Vector>(7.853861353153693e-5f);
    middle = middle * y - 8.010193625184903e-4f;
    middle = middle * y + 5.188327685732524e-3f;
    middle = middle * y - 2.685381193529856e-2f;
    middle = middle * y + 1.128358514861418e-1f;
    middle = middle * y - 3.761262582423300e-1f;
    middle = middle * y + 1.128379165726710e+0f;
    return size < 1.0f ? 1.0f - middle * size : tail;
}

// P(Z < x) of a standard normal Z.
template <class Vector>
static inline Vector normal_share(Vector x) {
    Vector half = 0.5f * error_tail(x * 0.70710678118654752f);
    return x < 0.0f ? half : 1.0f - half;
}
