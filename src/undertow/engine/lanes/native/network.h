// What a network is and where each of its numbers lies. Laid out as in undertow/engine/common/parameters.py:
// every weight matrix [fan_out, fan_in], every bias, every scale, every shift.
#pragma once

#include <cstddef>

#include "normalise.h"

#define GRADIENTS(EACH) EACH(PLAIN, "plain") EACH(STANDARDISED, "standardised") EACH(UNIT, "unit")
enum Gradient { GRADIENTS(CONSTANT_OF) };

// Filled in by native_library.py, field by field.
struct Network {
    std::int32_t inputs, outputs, depth, width;
    std::int32_t activation, normalisation, gradient, loss;
    std::int32_t skips, frozen;
    const std::int32_t *skip_starts, *skip_ends;  // hidden layers, counted from 0
    double branch_scale;

    int fan_in(int layer) const { return layer == 0 ? inputs : width; }
    int fan_out(int layer) const { return layer == depth ? outputs : width; }
    int matrix(int layer) const { return fan_in(layer) * fan_out(layer); }
    bool affine() const { return normalisation == BATCH || normalisation == LAYER; }

    int weights(int layer) const {
        return layer == 0 ? 0 : matrix(0) + (layer - 1) * width * width;
    }
    int biases(int layer) const { return weights(depth) + matrix(depth) + layer * width; }
    int scales(int layer) const { return biases(depth) + outputs + layer * width; }
    int shifts(int layer) const { return scales(depth) + layer * width; }
    int parameters() const { return affine() ? shifts(depth) : scales(0); }

    bool receives_skip(int layer) const {
        for (int skip = 0; skip < skips; ++skip)
            if (skip_ends[skip] == layer) return true;
        return false;
    }
};
