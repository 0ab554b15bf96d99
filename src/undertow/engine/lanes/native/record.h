// Where what is measured of a step is written: [variable, replicate, row, layer].
#pragma once

#include <cstddef>
#include <limits>

#include "lane.h"
#include "names.h"

#define LAYER_VARIABLES(EACH)                       \
    EACH(GRAD_NORM, "grad_norm")                    \
    EACH(WEIGHT_NORM, "weight_norm")                \
    EACH(UPDATE_NORM, "update_norm")                \
    EACH(GRAD_MEAN_ABS, "grad_mean_abs")            \
    EACH(NONFINITE_COUNT, "nonfinite")              \
    EACH(DELTA_NORM, "delta_norm")                  \
    EACH(PREACTIVATION_RMS, "preactivation_rms")    \
    EACH(ACTIVATION_RMS, "activation_rms")          \
    EACH(SLOPE_RMS, "slope_rms")                    \
    EACH(SATURATED_FRACTION, "saturated_fraction")  \
    EACH(DEAD_FRACTION, "dead_fraction")
#define STEP_VARIABLES(EACH)              \
    EACH(INPUT_RMS, "input_rms")          \
    EACH(OUTPUT_SPREAD, "output_spread")  \
    EACH(LOSS, "loss")                    \
    EACH(ACCURACY, "accuracy")            \
    EACH(LEARNING_RATE, "learning_rate")

enum LayerVariable { LAYER_VARIABLES(CONSTANT_OF) };
enum StepVariable { STEP_VARIABLES(CONSTANT_OF) };

struct Record {
    float *of_layers, *of_steps;
    std::int64_t replicates, rows, layers;
    std::int64_t block, row;  // row -1: a step that is not recorded

    bool wanted() const { return row >= 0; }

    void layer(LayerVariable variable, int layer, Lane value) const {
        for (int lane = 0; lane < LANES; ++lane) {
            std::int64_t replicate = block * LANES + lane;
            of_layers[((variable * replicates + replicate) * rows + row) * layers + layer] = value[lane];
        }
    }

    void step(StepVariable variable, Lane value) const {
        for (int lane = 0; lane < LANES; ++lane) {
            std::int64_t replicate = block * LANES + lane;
            of_steps[(variable * replicates + replicate) * rows + row] = value[lane];
        }
    }
};

static inline Lane absent() { return all(std::numeric_limits<float>::quiet_NaN()); }
