// One pass forward and one back through a block of replicates (Rumelhart, Hinton and Williams 1986,
// doi:10.1038/323533a0): dE/dx = W^T delta, delta = slope dE/dx, dE/dW = delta x^T.
#pragma once

#include "activations.h"
#include "losses.h"
#include "product.h"
#include "record.h"
#include "space.h"

struct Parameters {
    Lane* flat;
    Running running;  // of all layers, [depth, width]
};

static inline Affine affine_of(const Network& net, const Lane* flat, int layer) {
    if (!net.affine()) return {nullptr, nullptr};
    return {flat + net.scales(layer), flat + net.shifts(layer)};
}

static inline Running running_of(const Network& net, const Parameters& of, int layer) {
    if (net.normalisation != BATCH) return {nullptr, nullptr};
    std::ptrdiff_t from = (std::ptrdiff_t)layer * net.width;
    return {of.running.means + from, of.running.variances + from};
}

static inline const Lane* read_of(const Network& net, const Space& at, int layer) {
    if (layer < 0) return at.inputs;
    return (net.receives_skip(layer) ? at.reads : at.activations) + layer * at.layer;
}

static inline Lane* rescale_of(const Network& net, const Space& at, int layer) {
    return at.rescale + (std::ptrdiff_t)layer * (net.width > at.batch ? net.width : at.batch);
}

static void add_skips(const Network& net, const Space& at, int layer) {
    if (!net.receives_skip(layer)) return;
    const Lane* x = at.activations + layer * at.layer;
    Lane* read = at.reads + layer * at.layer;
    float branch = (float)net.branch_scale;
    for (std::ptrdiff_t i = 0; i < at.layer; ++i) read[i] = x[i] * branch;
    for (int skip = 0; skip < net.skips; ++skip) {
        if (net.skip_ends[skip] != layer) continue;
        const Lane* start = read_of(net, at, net.skip_starts[skip]);
        for (std::ptrdiff_t i = 0; i < at.layer; ++i) read[i] += start[i];
    }
}

static void forward(const Network& net, const Parameters& of, const Space& at, bool training) {
    const Activation& activation = ACTIVATIONS[net.activation];
    for (int layer = 0; layer < net.depth; ++layer) {
        Lane* z = at.preactivations + layer * at.layer;
        Lane* linear = net.normalisation == NONE ? z : at.linear;
        Matrix weights{of.flat + net.weights(layer), net.fan_in(layer), 1};
        Matrix x{read_of(net, at, layer - 1), at.batch, 1};
        product(weights, x, of.flat + net.biases(layer), linear, net.width, at.batch, net.fan_in(layer));
        if (net.normalisation != NONE)
            normalise(net.normalisation, affine_of(net, of.flat, layer), running_of(net, of, layer), training,
                      linear, at.standard + layer * at.layer, rescale_of(net, at, layer), z, net.width,
                      at.batch);
        activation.forward(z, at.activations + layer * at.layer, (int)at.layer);
        add_skips(net, at, layer);
    }
    Matrix weights{of.flat + net.weights(net.depth), net.width, 1};
    Matrix x{read_of(net, at, net.depth - 1), at.batch, 1};
    product(weights, x, of.flat + net.biases(net.depth), at.logits, net.outputs, at.batch, net.width);
}

// What a remedy does to dE/dx behind an activation.
static void carry(int gradient, Lane* arriving, int count) {
    if (gradient == STANDARDISED) {
        Lane mean = all(0.0f), square = all(0.0f);
        for (int i = 0; i < count; ++i) mean += arriving[i];
        mean /= (float)count;
        for (int i = 0; i < count; ++i) square += (arriving[i] - mean) * (arriving[i] - mean);
        Lane deviation = root(square / (float)(count - 1)) + 1e-6f;
        for (int i = 0; i < count; ++i) arriving[i] = (arriving[i] - mean) / deviation;
    } else if (gradient == UNIT) {
        Lane size = norm(arriving, count);
        size = size == 0.0f ? all(1.0f) : size;  // where nothing arrives there is no direction to keep
        for (int i = 0; i < count; ++i) arriving[i] /= size;
    }
}

// The gradient of a layer's weights and biases.
static void gradient_of(const Network& net, const Space& at, const Lane* delta, int layer) {
    int rows = net.fan_out(layer);
    Matrix left{delta, at.batch, 1};
    Matrix right{read_of(net, at, layer - 1), 1, at.batch};
    product(left, right, nullptr, at.gradient + net.weights(layer), rows, net.fan_in(layer), at.batch);
    Lane* biases = at.gradient + net.biases(layer);
    for (int unit = 0; unit < rows; ++unit) biases[unit] = sum_of(delta + unit * at.batch, at.batch);
}

// Adds what arrives over skips, and sends on what leaves over them. `began` has a flag a layer:
// whether anything was sent there yet.
static void skips_back(const Network& net, const Space& at, int layer, Lane* arriving, bool* began) {
    Lane* own = at.skipped + layer * at.layer;
    if (began[layer])
        for (std::ptrdiff_t i = 0; i < at.layer; ++i) arriving[i] += own[i];
    if (!net.receives_skip(layer)) return;
    for (int skip = 0; skip < net.skips; ++skip) {
        if (net.skip_ends[skip] != layer) continue;
        int start = net.skip_starts[skip];
        Lane* sent = at.skipped + start * at.layer;
        if (began[start])
            for (std::ptrdiff_t i = 0; i < at.layer; ++i) sent[i] += arriving[i];
        else
            for (std::ptrdiff_t i = 0; i < at.layer; ++i) sent[i] = arriving[i];
        began[start] = true;
    }
    float branch = (float)net.branch_scale;
    for (std::ptrdiff_t i = 0; i < at.layer; ++i) arriving[i] *= branch;
}

static void measure_layer(const Network& net, const Space& at, const Lane* delta, int layer,
                          const Record& record) {
    const Lane* z = at.preactivations + layer * at.layer;
    const Lane* x = at.activations + layer * at.layer;
    Passed found = ACTIVATIONS[net.activation].measure(z, x, net.width, at.batch);
    record.layer(DELTA_NORM, layer, norm(delta, (int)at.layer));
    record.layer(PREACTIVATION_RMS, layer, found.before);
    record.layer(ACTIVATION_RMS, layer, found.after);
    record.layer(SLOPE_RMS, layer, found.slope);
    record.layer(SATURATED_FRACTION, layer, found.saturated);
    record.layer(DEAD_FRACTION, layer, found.dead);
}

static void measure_output(const Network& net, const Space& at, const Record& record) {
    int numbers = net.outputs * at.batch;
    record.layer(DELTA_NORM, net.depth, norm(at.last_delta, numbers));
    record.layer(PREACTIVATION_RMS, net.depth, rms(at.logits, numbers));
    for (LayerVariable none : {ACTIVATION_RMS, SLOPE_RMS, SATURATED_FRACTION, DEAD_FRACTION})
        record.layer(none, net.depth, absent());
    Answer found = answer(net.loss, at.logits, at.truth, net.outputs, at.batch);
    record.step(LOSS, found.loss);
    record.step(ACCURACY, found.accuracy);
    record.step(OUTPUT_SPREAD, spread(at.logits, net.outputs, at.batch));
}

// Fills in the gradient of every parameter, and measures on the way what lies at hand.
static void backward(const Network& net, const Parameters& of, const Space& at, const Record& record) {
    bool began[128] = {};
    derivative(net.loss, at.logits, at.truth, at.last_delta, net.outputs, at.batch);
    if (record.wanted()) measure_output(net, at, record);
    const Lane* above = at.last_delta;
    gradient_of(net, at, above, net.depth);
    for (int layer = net.depth - 1; layer >= 0; --layer) {
        Lane* delta = at.deltas[layer & 1];
        Matrix weights{of.flat + net.weights(layer + 1), 1, net.width};
        Matrix arriving{above, at.batch, 1};
        product(weights, arriving, nullptr, delta, net.width, at.batch, net.fan_out(layer + 1));
        if (net.skips) skips_back(net, at, layer, delta, began);
        carry(net.gradient, delta, (int)at.layer);
        const Lane* z = at.preactivations + layer * at.layer;
        ACTIVATIONS[net.activation].back(delta, z, at.activations + layer * at.layer, (int)at.layer);
        if (net.normalisation != NONE)
            normalise_back(net.normalisation, affine_of(net, of.flat, layer), at.gradient + net.scales(layer),
                           at.gradient + net.shifts(layer), at.standard + layer * at.layer,
                           rescale_of(net, at, layer), delta, net.width, at.batch);
        if (record.wanted()) measure_layer(net, at, delta, layer, record);
        gradient_of(net, at, delta, layer);
        above = delta;
    }
}
