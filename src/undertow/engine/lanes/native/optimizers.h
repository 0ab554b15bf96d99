// From a gradient to the change that is added to the parameters.
#pragma once

#include <cfloat>
#include <cmath>

#include "lane.h"
#include "names.h"

#define OPTIMIZERS(EACH) EACH(SGD, "sgd") EACH(ADAM, "adam") EACH(KERAS_ADAM, "keras_adam")
enum Optimizer { OPTIMIZERS(CONSTANT_OF) };

struct Rule {
    double learning_rate, momentum, beta1, beta2, epsilon;
    std::int32_t optimizer;
};

// Writes the change of `count` numbers; `step` counts from 1.
static inline void change(const Rule& rule, std::int64_t step, const Lane* gradient, Lane* first, Lane* second,
                          Lane* out, int count) {
    float rate = (float)-rule.learning_rate;
    if (rule.optimizer == SGD) {
        float momentum = (float)rule.momentum;
        if (momentum == 0.0f) {
            for (int i = 0; i < count; ++i) out[i] = gradient[i] * rate;
            return;
        }
        for (int i = 0; i < count; ++i) {
            first[i] = first[i] * momentum + gradient[i];
            out[i] = first[i] * rate;
        }
        return;
    }
    double correction1 = 1 - std::pow(rule.beta1, (double)step);
    double correction2 = std::sqrt(1 - std::pow(rule.beta2, (double)step));
    // Keras adds epsilon before the bias correction, PyTorch after it.
    float epsilon = (float)(rule.optimizer == KERAS_ADAM ? rule.epsilon : rule.epsilon * correction2);
    float factor = (float)(-rule.learning_rate * correction2 / correction1);
    float kept = (float)rule.beta2, fresh1 = (float)(1 - rule.beta1), fresh2 = (float)(1 - rule.beta2);
    each_number(count, [=](int i, auto vector) {
        using Vector = decltype(vector);
        Vector own = get<Vector>(gradient + i), mean = get<Vector>(first + i), square = get<Vector>(second + i);
        mean += fresh1 * (own - mean);
        square = square * kept + fresh2 * own * own;
        put(first + i, mean);
        put(second + i, square);
        put(out + i, mean / (root(at_least(square, every<Vector>(FLT_MIN))) + epsilon) * factor);
    });
}
