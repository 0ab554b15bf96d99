// Trains every kind of network that lanes know for some steps, on memory of exactly the size asked
// for, so that a sanitizer sees the first number beyond it. Built by test_lanes_sanitized.py.
#include "lanes.cpp"

#include <cstdio>
#include <cstdlib>
#include <random>

namespace {

Lane* lanes_of(std::int64_t count) {
    return static_cast<Lane*>(std::aligned_alloc(64, count ? (count * sizeof(Lane) + 63) / 64 * 64 : 64));
}

Lane* filled(std::int64_t count, float scale, std::mt19937& random) {
    std::normal_distribution<float> normal(0.0f, scale);
    Lane* found = lanes_of(count);
    for (std::int64_t i = 0; i < count; ++i)
        for (int lane = 0; lane < LANES; ++lane) found[i][lane] = scale > 0 ? normal(random) : 0.0f;
    return found;
}

void train(const Network& net, int optimizer, double limit, std::mt19937& random) {
    constexpr int SAMPLES = 23, BATCH = 9, EPOCHS = 2, STEPS = 6, BLOCKS = 2, REPLICATES = BLOCKS * LANES;
    std::vector<float> inputs(SAMPLES * net.inputs);
    std::vector<std::int32_t> targets(SAMPLES), orders(EPOCHS * REPLICATES * SAMPLES);
    std::vector<double> squares(SAMPLES, 1.0);
    for (float& input : inputs) input = std::normal_distribution<float>()(random);
    for (std::int32_t& target : targets) target = (std::int32_t)(random() % 2);
    for (std::int32_t& place : orders) place = (std::int32_t)(random() % SAMPLES);
    std::int64_t numbers = (std::int64_t)BLOCKS * net.parameters(), units = (std::int64_t)BLOCKS * net.depth * net.width;
    State state{filled(numbers, 0.5f, random), filled(numbers, 0, random), filled(numbers, 0, random),
                filled(units, 0, random), filled(units, 1.0f, random), BLOCKS, 0};
    for (std::int64_t i = 0; i < units; ++i) state.variances[i] = all(1.0f);
    std::int32_t rows[STEPS] = {0, -1, 1, -1, 2, -1}, pages[STEPS] = {0, -1, -1, -1, -1, 1};
    std::vector<std::int32_t> histogram(2 * REPLICATES * net.depth * BINS);
    std::vector<float> of_layers(11 * REPLICATES * 3 * (net.depth + 1)), of_steps(5 * REPLICATES * 3);
    Samples samples{inputs.data(), targets.data(), squares.data()};
    Steps steps{orders.data(), SAMPLES, BATCH, 0, STEPS, rows, pages, histogram.data(),
                of_layers.data(), of_steps.data(), 3};
    Rule rule{0.01, 0.9, 0.9, 0.999, 1e-8, optimizer};
    std::int64_t each = lanes_space(&net, BATCH);
    Lane* memory = lanes_of(2 * each);
    std::vector<float> logits(EPOCHS * REPLICATES * net.outputs * SAMPLES);
    std::vector<float> shares(EPOCHS * REPLICATES * (net.depth + 1));
    Test test{inputs.data(), SAMPLES, BATCH, logits.data(), shares.data()};
    lanes_train(&net, &rule, limit, &state, &samples, &steps, &test, memory, each, 2);
    lanes_answer(&net, &state, inputs.data(), SAMPLES, BATCH, logits.data(), memory, each, 2);
    lanes_distinct(&net, &state, shares.data(), 2);
    Random numbers_of{&random, nullptr, [](void* of) { return (std::uint32_t)(*(std::mt19937*)of)(); }};
    std::vector<const Random*> each_random(REPLICATES - 3, &numbers_of);
    lanes_orders(each_random.data(), REPLICATES - 3, REPLICATES, EPOCHS, SAMPLES, orders.data(), 1);
    for (Lane* own : {state.parameters, state.first, state.second, state.means, state.variances, memory})
        std::free(own);
}

}  // namespace

int main() {
    std::mt19937 random(1);
    std::int32_t starts[] = {0, 0}, ends[] = {1, 2};
    int trainings = 0;
    for (int activation = 0; activation < ACTIVATION_COUNT; ++activation)
        for (int normalisation : {NONE, BATCH, LAYER, TENSOR})
            for (int gradient : {PLAIN, STANDARDISED, UNIT})
                for (int optimizer : {SGD, ADAM, KERAS_ADAM})
                    for (int loss : {BINARY, CATEGORICAL}) {
                        int skips = trainings % 3, width = 1 + trainings % 13;
                        Network net{3, loss == BINARY ? 1 : 4, 3, width, activation, normalisation,
                                    gradient, loss, skips, trainings % 2, starts, ends, 0.5};
                        train(net, optimizer, trainings % 5 ? 0.0 : 0.1, random);
                        ++trainings;
                    }
    std::printf("%d trainings\n", trainings);
}
