// Normalisation between a hidden layer and its activation, there and back. All kinds are one form:
// groups of numbers, in steps of a stride, share a mean and a variance.
#pragma once

#include <cstddef>

#include "lane.h"
#include "names.h"

#define NORMALISATIONS(EACH) \
    EACH(NONE, "none") EACH(BATCH, "batch") EACH(LAYER, "layer") EACH(TENSOR, "tensor")
enum Normalisation { NORMALISATIONS(CONSTANT_OF) };

constexpr float RUNNING_MOMENTUM = 0.1f;

struct Groups {
    int groups, count, correction;
    std::ptrdiff_t apart, stride;
    float epsilon;
};

static inline Groups groups_of(int kind, int width, int batch) {
    if (kind == BATCH) return {width, batch, 0, batch, 1, 1e-5f};
    if (kind == LAYER) return {batch, width, 0, 1, batch, 1e-5f};
    return {1, width * batch, 1, 0, 1, 0.0f};
}

struct Affine {
    const Lane *scales, *shifts;  // a unit; null where the kind has none
};

struct Running {
    Lane *means, *variances;  // a unit; null but with BATCH
};

static inline void scale_and_shift(const Affine& by, const Lane* standard, Lane* out, int width, int batch) {
    for (int unit = 0; unit < width; ++unit)
        for (int i = unit * batch; i < (unit + 1) * batch; ++i)
            out[i] = by.shifts[unit] + by.scales[unit] * standard[i];
}

// Writes what is standardised, 1 / sd of each group, and what enters the activation.
static inline void normalise(int kind, const Affine& by, const Running& running, bool training, const Lane* z,
                             Lane* standard, Lane* rescale, Lane* out, int width, int batch) {
    Groups of = groups_of(kind, width, batch);
    for (int group = 0; group < of.groups; ++group) {
        const Lane* own = z + group * of.apart;
        Lane mean = all(0.0f), variance = all(0.0f);
        if (kind == BATCH && !training) {
            mean = running.means[group];
            variance = running.variances[group];
        } else {
            for (int i = 0; i < of.count; ++i) mean += own[i * of.stride];
            mean /= (float)of.count;
            for (int i = 0; i < of.count; ++i) {
                Lane away = own[i * of.stride] - mean;
                variance += away * away;
            }
            if (kind == BATCH) {
                // As in PyTorch, the running variance is the unbiased one.
                Lane unbiased = variance / (float)(of.count > 1 ? of.count - 1 : 1);
                running.means[group] += RUNNING_MOMENTUM * (mean - running.means[group]);
                running.variances[group] += RUNNING_MOMENTUM * (unbiased - running.variances[group]);
            }
            variance /= (float)(of.count - of.correction);
        }
        Lane factor = 1.0f / root(variance + of.epsilon);
        rescale[group] = factor;
        for (int i = 0; i < of.count; ++i)
            standard[group * of.apart + i * of.stride] = (own[i * of.stride] - mean) * factor;
    }
    if (by.scales) scale_and_shift(by, standard, out, width, batch);
}

// Takes delta from the normalisation's output to its input, in place: with g = scale x delta and x
// standardised over n numbers, (g - mean g - x sum(g x) / (n - c)) / sd.
static inline void normalise_back(int kind, const Affine& by, Lane* scale_gradient, Lane* shift_gradient,
                                  const Lane* standard, const Lane* rescale, Lane* delta, int width,
                                  int batch) {
    if (by.scales) {
        for (int unit = 0; unit < width; ++unit) {
            Lane shift = all(0.0f), scale = all(0.0f);
            for (int i = unit * batch; i < (unit + 1) * batch; ++i) {
                shift += delta[i];
                scale += delta[i] * standard[i];
                delta[i] *= by.scales[unit];
            }
            shift_gradient[unit] = shift;
            scale_gradient[unit] = scale;
        }
    }
    Groups of = groups_of(kind, width, batch);
    int freedom = of.count - of.correction > 1 ? of.count - of.correction : 1;
    for (int group = 0; group < of.groups; ++group) {
        Lane* own = delta + group * of.apart;
        const Lane* x = standard + group * of.apart;
        Lane mean = all(0.0f), share = all(0.0f);
        for (int i = 0; i < of.count; ++i) {
            mean += own[i * of.stride];
            share += own[i * of.stride] * x[i * of.stride];
        }
        mean /= (float)of.count;
        share /= (float)freedom;
        for (int i = 0; i < of.count; ++i) {
            Lane& each = own[i * of.stride];
            each = (each - mean - x[i * of.stride] * share) * rescale[group];
        }
    }
}
