// Where what is measured of a step is written: [variable, replicate, row, layer].
#pragma once

#include <cstddef>
#include <limits>

#include "lane.h"

// In the order of LAYER_VARIABLES and STEP_VARIABLES in library.py.
enum LayerVariable {
    GRAD_NORM, WEIGHT_NORM, UPDATE_NORM, GRAD_MEAN_ABS, NONFINITE_COUNT, DELTA_NORM,
    PREACTIVATION_RMS, ACTIVATION_RMS, SLOPE_RMS, SATURATED_FRACTION, DEAD_FRACTION,
};
enum StepVariable { INPUT_RMS, OUTPUT_SPREAD, LOSS, ACCURACY, LEARNING_RATE };

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
