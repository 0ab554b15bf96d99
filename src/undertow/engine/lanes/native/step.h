// One step of training: the gradient clipped, turned into a change, measured and added.
#pragma once

#include "optimizers.h"
#include "pass.h"

constexpr float CLIP_EPSILON = 1e-6f;  // PyTorch's

struct Leaf {
    int from, count, layer;
    bool weights;
};

// Calls `visit` with every weight matrix, bias, scale and shift.
template <class Visit>
static inline void each_leaf(const Network& net, Visit visit) {
    for (int layer = 0; layer <= net.depth; ++layer) {
        visit(Leaf{net.weights(layer), net.matrix(layer), layer, true});
        visit(Leaf{net.biases(layer), net.fan_out(layer), layer, false});
        if (!net.affine() || layer == net.depth) continue;
        visit(Leaf{net.scales(layer), net.width, layer, false});
        visit(Leaf{net.shifts(layer), net.width, layer, false});
    }
}

static void clip(const Network& net, Lane* gradient, double limit) {
    Wide sum = wide(all(0.0f));
    each_leaf(net, [&](const Leaf& leaf) { sum += squares(gradient + leaf.from, leaf.count); });
    Lane share = narrow(limit / (root(sum) + CLIP_EPSILON));
    share = at_most(share, all(1.0f));
    for (int i = 0; i < net.parameters(); ++i) gradient[i] *= share;
}

static void measure_weights(const Network& net, const Parameters& of, const Space& at, const Record& record) {
    each_leaf(net, [&](const Leaf& leaf) {
        if (!leaf.weights) return;
        const Lane* gradient = at.gradient + leaf.from;
        Lane size = norm(gradient, leaf.count);
        record.layer(GRAD_NORM, leaf.layer, size);
        record.layer(GRAD_MEAN_ABS, leaf.layer, mean_magnitude(gradient, leaf.count));
        record.layer(NONFINITE_COUNT, leaf.layer, nonfinite(gradient, leaf.count, size));
        record.layer(WEIGHT_NORM, leaf.layer, norm(of.flat + leaf.from, leaf.count));
    });
}

static void step(const Network& net, const Rule& rule, double limit, std::int64_t number, const Parameters& of,
                 Lane* first, Lane* second, const Space& at, const Record& record) {
    int count = net.parameters();
    forward(net, of, at, true);
    backward(net, of, at, record);
    if (record.wanted()) measure_weights(net, of, at, record);
    if (limit > 0) clip(net, at.gradient, limit);
    change(rule, number, at.gradient, first, second, at.update, count);
    each_leaf(net, [&](const Leaf& leaf) {
        if (leaf.layer < net.frozen)
            for (int i = leaf.from; i < leaf.from + leaf.count; ++i) at.update[i] = all(0.0f);
        if (record.wanted() && leaf.weights)
            record.layer(UPDATE_NORM, leaf.layer, norm(at.update + leaf.from, leaf.count));
    });
    each_number(count, [&](int i, auto vector) {
        using Vector = decltype(vector);
        put(of.flat + i, get<Vector>(of.flat + i) + get<Vector>(at.update + i));
    });
}
