// What Python calls: some steps of training, and the logits of any inputs. A block is LANES
// replicates; threads take blocks one after another, and a block's numbers depend on it alone.

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "orders.h"
#include "step.h"

#if defined(_WIN32)
#define PUBLIC extern "C" __declspec(dllexport)
#else
#define PUBLIC extern "C" __attribute__((visibility("default")))
#endif

namespace {

struct State {
    Lane *parameters, *first, *second;  // [blocks, parameters]
    Lane *means, *variances;            // [blocks, depth, width]
    std::int64_t blocks;
    std::int64_t steps;  // taken so far
};

struct Samples {
    const float* inputs;          // [samples, features]
    const std::int32_t* targets;  // [samples]
    const double* squares;        // mean square of each sample's inputs
};

// Some epochs on end, of which the steps `from` to `from + count` are to be taken.
struct Steps {
    const std::int32_t* orders;  // [epochs, replicates, samples]
    std::int64_t samples;        // of an epoch
    std::int32_t batch, from, count;
    const std::int32_t* rows;    // of each step: its row in the record, or -1
    const std::int32_t* pages;   // of each step: its page of the histogram, or -1
    std::int32_t* histogram;     // [pages, replicates, depth, BINS]
    float *of_layers, *of_steps;
    std::int64_t recorded;       // rows
};

// What is asked at the end of each epoch.
struct Test {
    const float* inputs;  // [samples, features]
    std::int64_t samples;
    std::int32_t part;    // samples answered together
    float* logits;        // [epochs, replicates, outputs, samples]
    float* shares;        // [epochs, replicates, layers], of distinct units
};

Parameters of_block(const Network& net, const State& state, std::int64_t block) {
    std::int64_t running = block * net.depth * net.width;
    return {state.parameters + block * net.parameters(), {state.means + running, state.variances + running}};
}

// Brings every replicate's own samples side by side.
void gather(const Network& net, const Samples& from, const std::int32_t* orders, std::int64_t samples,
            std::int64_t start, const Space& at, const Record& record) {
    Wide square = wide(all(0.0f));
    for (int s = 0; s < at.batch; ++s) {
        std::int64_t places[LANES];
        for (int lane = 0; lane < LANES; ++lane) {
            places[lane] = orders[lane * samples + start + s];
            at.truth[s][lane] = (float)from.targets[places[lane]];
            square[lane] += from.squares[places[lane]];
        }
        for (int feature = 0; feature < net.inputs; ++feature)
            for (int lane = 0; lane < LANES; ++lane)
                at.inputs[feature * at.batch + s][lane] = from.inputs[places[lane] * net.inputs + feature];
    }
    if (record.wanted()) record.step(INPUT_RMS, narrow(root(square / (double)at.batch)));
}

void answer_block(const Network& net, const State& state, const float* inputs, std::int64_t samples, int part,
                  std::int64_t block, Lane* memory, float* logits) {
    Parameters own = of_block(net, state, block);
    std::int64_t used = 0;
    for (std::int64_t start = 0; start < samples; start += part) {
        std::int64_t left = samples - start;
        Space at = carved(net, (int)(left < part ? left : part), memory, used);
        for (int s = 0; s < at.batch; ++s)
            for (int feature = 0; feature < net.inputs; ++feature)
                at.inputs[feature * at.batch + s] = all(inputs[(start + s) * net.inputs + feature]);
        forward(net, own, at, false);
        for (int kind = 0; kind < net.outputs; ++kind)
            for (int s = 0; s < at.batch; ++s)
                for (int lane = 0; lane < LANES; ++lane)
                    logits[((block * LANES + lane) * net.outputs + kind) * samples + start + s] =
                        at.logits[kind * at.batch + s][lane];
    }
}

// Writes the share of distinct units of each layer.
void distinct_block(const Network& net, const State& state, std::int64_t block, float* shares) {
    const Lane* flat = of_block(net, state, block).flat;
    for (int layer = 0; layer <= net.depth; ++layer) {
        Lane found = distinct_units(flat + net.weights(layer), net.fan_out(layer), net.fan_in(layer));
        for (int lane = 0; lane < LANES; ++lane)
            shares[(block * LANES + lane) * (net.depth + 1) + layer] = found[lane];
    }
}

void train_block(const Network& net, const Rule& rule, double limit, const State& state, const Samples& from,
                 const Steps& steps, const Test& test, std::int64_t block, Lane* memory) {
    Parameters own = of_block(net, state, block);
    std::int64_t moments = block * net.parameters(), used = 0;
    std::int64_t replicates = state.blocks * LANES;
    int an_epoch = (int)((steps.samples + steps.batch - 1) / steps.batch);
    for (int number = steps.from; number < steps.from + steps.count; ++number) {
        std::int64_t epoch = number / an_epoch, place = number % an_epoch;
        std::int64_t start = place * steps.batch, left = steps.samples - start;
        Space at = carved(net, (int)(left < steps.batch ? left : steps.batch), memory, used);
        Record record{steps.of_layers, steps.of_steps, replicates, steps.recorded, net.depth + 1,
                      block, steps.rows[number]};
        const std::int32_t* orders = steps.orders + (epoch * replicates + block * LANES) * steps.samples;
        gather(net, from, orders, steps.samples, start, at, record);
        if (record.wanted()) record.step(LEARNING_RATE, all((float)rule.learning_rate));
        step(net, rule, limit, state.steps + number - steps.from + 1, own, state.first + moments,
             state.second + moments, at, record);
        if (steps.pages[number] >= 0) {
            std::int64_t page = steps.pages[number] * replicates + block * LANES, row = (std::int64_t)net.depth * BINS;
            for (int layer = 0; layer < net.depth; ++layer)
                count_into(steps.histogram + page * row + layer * BINS, row, at.preactivations + layer * at.layer,
                           (int)at.layer);
        }
        if (place < an_epoch - 1) continue;
        answer_block(net, state, test.inputs, test.samples, test.part, block, memory,
                     test.logits + epoch * replicates * net.outputs * test.samples);
        distinct_block(net, state, block, test.shares + epoch * replicates * (net.depth + 1));
    }
}

// Calls `work(block, thread)` for every block.
template <class Work>
void on_threads(std::int64_t blocks, int threads, Work work) {
    std::atomic<std::int64_t> next{0};
    auto run = [&](int thread) {
        for (std::int64_t block; (block = next.fetch_add(1)) < blocks;) work(block, thread);
    };
    std::vector<std::thread> others;
    for (int thread = 1; thread < threads && thread < blocks; ++thread) others.emplace_back(run, thread);
    run(0);
    for (std::thread& other : others) other.join();
}

}  // namespace

// The names of what is on a list, in its order, a space after each; null of a list that is not here.
PUBLIC const char* lanes_names(const char* list) {
    const char* lists[][2] = {
        {"layer_variables", LAYER_VARIABLES(NAME_OF)}, {"step_variables", STEP_VARIABLES(NAME_OF)},
        {"activations", ACTIVATION_NAMES(NAME_OF)},    {"normalisations", NORMALISATIONS(NAME_OF)},
        {"gradients", GRADIENTS(NAME_OF)},             {"optimizers", OPTIMIZERS(NAME_OF)},
        {"losses", LOSSES(NAME_OF)},
    };
    for (auto& each : lists)
        if (std::strcmp(each[0], list) == 0) return each[1];
    return nullptr;
}

// How many bytes a structure takes, by its name in native_library.py; 0 of one that is not here.
PUBLIC std::int64_t lanes_size(const char* structure) {
    struct { const char* name; std::size_t size; } structures[] = {
        {"Network", sizeof(Network)}, {"UpdateRule", sizeof(Rule)}, {"State", sizeof(State)},
        {"Samples", sizeof(Samples)}, {"Steps", sizeof(Steps)},     {"Test", sizeof(Test)},
    };
    for (auto& each : structures)
        if (std::strcmp(each.name, structure) == 0) return (std::int64_t)each.size;
    return 0;
}

// How many replicates a block has.
PUBLIC std::int32_t lanes_count() { return LANES; }

// How many lanes of memory a pass takes, on each thread.
PUBLIC std::int64_t lanes_space(const Network* net, std::int32_t batch) {
    std::int64_t used = 0;
    carved(*net, batch, nullptr, used);
    return used;
}

PUBLIC void lanes_train(const Network* net, const Rule* rule, double limit, const State* state,
                        const Samples* samples, const Steps* steps, const Test* test, Lane* memory,
                        std::int64_t each, std::int32_t threads) {
    on_threads(state->blocks, threads, [&](std::int64_t block, int thread) {
        train_block(*net, *rule, limit, *state, *samples, *steps, *test, block, memory + thread * each);
    });
}

// Writes logits [replicates, outputs, samples].
PUBLIC void lanes_answer(const Network* net, const State* state, const float* inputs, std::int64_t samples,
                         std::int32_t part, float* logits, Lane* memory, std::int64_t each,
                         std::int32_t threads) {
    on_threads(state->blocks, threads, [&](std::int64_t block, int thread) {
        answer_block(*net, *state, inputs, samples, part, block, memory + thread * each, logits);
    });
}

// Writes the share of distinct units of each layer, [replicates, layers].
PUBLIC void lanes_distinct(const Network* net, const State* state, float* shares, std::int32_t threads) {
    on_threads(state->blocks, threads,
               [&](std::int64_t block, int) { distinct_block(*net, *state, block, shares); });
}

// Writes the order in which each replicate meets the samples, [epochs, whole, samples]: of the whole
// blocks' replicates those that have a generator.
PUBLIC void lanes_orders(const Random* const* random, std::int64_t replicates, std::int64_t whole,
                         std::int64_t epochs, std::int32_t samples, std::int32_t* orders, std::int32_t threads) {
    on_threads(replicates, threads, [&](std::int64_t replicate, int) {
        for (std::int64_t epoch = 0; epoch < epochs; ++epoch)
            shuffled(*random[replicate], orders + (epoch * whole + replicate) * samples, samples);
    });
}

#ifndef LANES_NAME
#define LANES_NAME "plain"
#define LANES_SOURCES ""
#endif

// The instruction set this library is compiled for.
PUBLIC const char* lanes_name() { return LANES_NAME; }

// A digest of the sources it is compiled from.
PUBLIC const char* lanes_sources() { return LANES_SOURCES; }

// The best of the instruction sets that there is a library for and this processor can run.
PUBLIC const char* lanes_best() {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_cpu_init();
    bool fused = __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    if (fused && wide) return "avx512";
    if (fused) return "avx2";
#endif
    return "plain";
}
