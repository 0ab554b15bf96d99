// The numbers of one pass over one batch of one block of replicates, carved out of one piece of
// memory that the caller gives.
#pragma once

#include "network.h"

struct Space {
    Lane *inputs, *truth;               // [inputs, batch], [batch]
    Lane *preactivations, *activations;  // [depth, width, batch]
    Lane *linear;                       // [width, batch], before a normalisation
    Lane *standard, *rescale;           // what a normalisation keeps for the way back
    Lane *reads;                        // where skips end: what the next layer reads
    Lane *skipped;                      // what arrives over skips on the way back
    Lane *deltas[2];                    // of a layer and of the one above it, by turns
    Lane *logits, *last_delta;
    Lane *gradient, *update;            // of every parameter
    std::ptrdiff_t layer;               // from one layer to the next
    int batch;
};

// Carves `from`; with null, only `used` is of meaning: how many lanes it takes.
static inline Space carved(const Network& net, int batch, Lane* from, std::int64_t& used) {
    std::int64_t layer = (std::int64_t)net.width * batch, layers = layer * net.depth;
    bool normed = net.normalisation != NONE;
    std::int64_t place = 0;
    auto take = [&](std::int64_t count) {
        Lane* at = from ? from + place : nullptr;
        place += count;
        return at;
    };
    Space space{};
    space.layer = layer;
    space.batch = batch;
    space.inputs = take((std::int64_t)net.inputs * batch);
    space.truth = take(batch);
    space.preactivations = take(layers);
    space.activations = take(layers);
    space.linear = take(normed ? layer : 0);
    space.standard = net.affine() ? take(layers) : space.preactivations;
    space.rescale = take(normed ? (std::int64_t)net.depth * (net.width > batch ? net.width : batch) : 0);
    space.reads = take(net.skips ? layers : 0);
    space.skipped = take(net.skips ? layers : 0);
    space.deltas[0] = take(layer);
    space.deltas[1] = take(layer);
    space.logits = take((std::int64_t)net.outputs * batch);
    space.last_delta = take((std::int64_t)net.outputs * batch);
    space.gradient = take(net.parameters());
    space.update = take(net.parameters());
    used = place;
    return space;
}
