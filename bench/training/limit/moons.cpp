// What this machine allows: two moons, ten layers of ten units, batches of 32, Keras's Adam, written
// for nothing else. Every size is a constant, one block of eight replicates a call, everything that
// the laboratory records of a step is summed in passing, in plain floats, and kept as it comes.
// It shares no line with the engine that it is a yardstick for.
#include <cmath>
#include <cstdint>
#include <cstring>

typedef float V __attribute__((vector_size(32)));
typedef std::int32_t I __attribute__((vector_size(32)));

constexpr int IN = 2, W = 10, DEPTH = 10, BATCH = 32, SAMPLES = 200;
constexpr int HIDDEN = W * W, SIZE = IN * W + 9 * HIDDEN + W + DEPTH * W + 1;

static inline V all(float x) { return V{x, x, x, x, x, x, x, x}; }
static inline V size(V x) { return (V)((I)x & 0x7fffffff); }
static inline V root(V x) {
    V found;
    for (int i = 0; i < 8; ++i) found[i] = __builtin_sqrtf(x[i]);
    return found;
}

static inline V exponential(V x) {
    x = x < -87.0f ? all(-87.0f) : x;
    x = x > 88.0f ? all(88.0f) : x;
    V shifted = x * 1.44269504f + 12582912.0f;
    I power = (I)shifted - (I)all(12582912.0f);
    V whole = shifted - 12582912.0f;
    x = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    V sum = x * 1.9875691500e-4f + 1.3981999507e-3f;
    sum = sum * x + 8.3334519073e-3f;
    sum = sum * x + 4.1665795894e-2f;
    sum = sum * x + 1.6666665459e-1f;
    sum = sum * x + 5.0000001201e-1f;
    sum = sum * x * x + x + 1.0f;
    return sum * (V)((power + 127) << 23);
}

struct Network {
    V first[W][IN], hidden[9][W][W], last[W], bias[DEPTH][W], end;
};
static_assert(sizeof(Network) == SIZE * sizeof(V));

struct Layer {
    V gradient, mean, weights, update, delta, before, after, slope, saturated, dead;
};

// out[ROWS][N] = start[ROWS] + a[ROWS][K] b[K][N], everything known to the compiler.
template <int ROWS, int K, int N, int AM, int AK, int BK, int BN>
static inline void product(const V* a, const V* b, const V* start, V* out) {
    constexpr int TM = ROWS % 4 == 0 ? 4 : 5, TN = N % 4 == 0 ? 4 : N % 5 == 0 ? 5 : 1;
    for (int m = 0; m < ROWS; m += TM)
        for (int n = 0; n < N; n += TN) {
            V sums[TM][TN];
#pragma GCC unroll 8
            for (int i = 0; i < TM; ++i)
#pragma GCC unroll 8
                for (int j = 0; j < TN; ++j) sums[i][j] = start ? start[m + i] : all(0);
            for (int k = 0; k < K; ++k)
#pragma GCC unroll 8
                for (int i = 0; i < TM; ++i)
#pragma GCC unroll 8
                    for (int j = 0; j < TN; ++j)
                        sums[i][j] += a[(m + i) * AM + k * AK] * b[k * BK + (n + j) * BN];
#pragma GCC unroll 8
            for (int i = 0; i < TM; ++i)
#pragma GCC unroll 8
                for (int j = 0; j < TN; ++j) out[(m + i) * N + n + j] = sums[i][j];
        }
}

static inline V squares(const V* x, int n) {
    V a = all(0), b = all(0), c = all(0), d = all(0);
    int i = 0;
    for (; i + 4 <= n; i += 4) {
        a += x[i] * x[i];
        b += x[i + 1] * x[i + 1];
        c += x[i + 2] * x[i + 2];
        d += x[i + 3] * x[i + 3];
    }
    for (; i < n; ++i) a += x[i] * x[i];
    return a + b + c + d;
}

static inline V sizes(const V* x, int n) {
    V a = all(0), b = all(0);
    for (int i = 0; i + 2 <= n; i += 2) {
        a += size(x[i]);
        b += size(x[i + 1]);
    }
    return (a + b) / (float)n;
}

template <bool SIGMOID, int B>
static void step(Network& net, V* first, V* second, int number, const float* inputs, const std::int32_t* targets,
                 const std::int32_t* orders, Layer* record, V* of_step) {
    static V x[IN][B], z[DEPTH][W][B], y[DEPTH][W][B], d[2][W][B], logits[B], last[B], truth[B];
    static Network gradient, update;
    V square = all(0);
    for (int s = 0; s < B; ++s)
        for (int lane = 0; lane < 8; ++lane) {
            int place = orders[lane * SAMPLES + s];
            x[0][s][lane] = inputs[2 * place];
            x[1][s][lane] = inputs[2 * place + 1];
            truth[s][lane] = (float)targets[place];
        }
    for (int s = 0; s < B; ++s) square += x[0][s] * x[0][s] + x[1][s] * x[1][s];
    for (int l = 0; l < DEPTH; ++l) {
        if (l == 0)
            product<W, IN, B, IN, 1, B, 1>(&net.first[0][0], &x[0][0], net.bias[0], &z[0][0][0]);
        else
            product<W, W, B, W, 1, B, 1>(&net.hidden[l - 1][0][0], &y[l - 1][0][0], net.bias[l], &z[l][0][0]);
        const V* from = &z[l][0][0];
        V* to = &y[l][0][0];
        for (int i = 0; i < W * B; ++i)
            to[i] = SIGMOID ? 1.0f / (1.0f + exponential(-from[i])) : (from[i] < 0.0f ? all(0) : from[i]);
    }
    V right = all(0), loss = all(0), mean = all(0), spread = all(0);
    for (int s = 0; s < B; ++s) {
        V sum = net.end;
        for (int k = 0; k < W; ++k) sum += net.last[k] * y[DEPTH - 1][k][s];
        logits[s] = sum;
        V share = exponential(-size(sum));
        V chance = 1.0f / (1.0f + share);
        last[s] = ((sum > 0.0f ? chance : 1.0f - chance) - truth[s]) / (float)B;
        V positive = sum > 0.0f ? sum : all(0);
        // A logarithm of 1 + share by a series in share / (2 + share): its error is of no matter here.
        V t = share / (share + 2.0f), t2 = t * t;
        loss += positive - sum * truth[s] + 2.0f * t * (1.0f + t2 * (0.33333333f + t2 * (0.2f + t2 * 0.142857f)));
        V one = sum > 0.0f ? all(1) : all(0);
        right += one == truth[s] ? all(1) : all(0);
        mean += sum;
    }
    for (int s = 0; s < B; ++s) spread += (logits[s] - mean / (float)B) * (logits[s] - mean / (float)B);
    of_step[0] = loss / (float)B;
    of_step[1] = right / (float)B;
    of_step[2] = root(spread / (float)B);
    of_step[3] = root(square / (2.0f * B));
    gradient.end = all(0);
    for (int s = 0; s < B; ++s) gradient.end += last[s];
    for (int k = 0; k < W; ++k) {
        V sum = all(0);
        for (int s = 0; s < B; ++s) sum += last[s] * y[DEPTH - 1][k][s];
        gradient.last[k] = sum;
        for (int s = 0; s < B; ++s) d[(DEPTH - 1) & 1][k][s] = net.last[k] * last[s];
    }
    record[DEPTH].delta = root(squares(last, B));
    record[DEPTH].before = root(squares(logits, B) / (float)B);
    for (int l = DEPTH - 1; l >= 0; --l) {
        V* delta = &d[l & 1][0][0];
        if (l < DEPTH - 1)
            product<W, W, B, 1, W, B, 1>(&net.hidden[l][0][0], &d[(l + 1) & 1][0][0], nullptr, delta);
        V steep = all(0), saturated = all(0), dead = all(0);
        for (int k = 0; k < W; ++k) {
            V any = all(0), sum = all(0);
            for (int s = 0; s < B; ++s) {
                V after = y[l][k][s];
                V slope = SIGMOID ? (1.0f - after) * after : (z[l][k][s] > 0.0f ? all(1) : all(0));
                V own = delta[k * B + s] * slope;
                delta[k * B + s] = own;
                sum += own;
                any += size(slope);
                steep += slope * slope;
                saturated += size(slope) < (SIGMOID ? 0.0125f : 0.05f) ? all(1) : all(0);
            }
            dead += any == 0.0f ? all(1) : all(0);
            gradient.bias[l][k] = sum;
        }
        if (l == 0)
            product<W, B, IN, B, 1, 1, B>(delta, &x[0][0], nullptr, &gradient.first[0][0]);
        else
            product<W, B, W, B, 1, 1, B>(delta, &y[l - 1][0][0], nullptr, &gradient.hidden[l - 1][0][0]);
        record[l].delta = root(squares(delta, W * B));
        record[l].before = root(squares(&z[l][0][0], W * B) / (float)(W * B));
        record[l].after = root(squares(&y[l][0][0], W * B) / (float)(W * B));
        record[l].slope = root(steep / (float)(W * B));
        record[l].saturated = saturated / (float)(W * B);
        record[l].dead = dead / (float)W;
    }
    V *flat = (V*)&net, *g = (V*)&gradient, *u = (V*)&update;
    float correction = std::sqrt(1 - std::pow(0.999f, (float)number)) / (1 - std::pow(0.9f, (float)number));
    for (int i = 0; i < SIZE; ++i) {
        first[i] += 0.1f * (g[i] - first[i]);
        second[i] = second[i] * 0.999f + 0.001f * g[i] * g[i];
        u[i] = first[i] / (root(second[i] < 1e-38f ? all(1e-38f) : second[i]) + 1e-7f) * (-1e-3f * correction);
    }
    for (int l = 0; l <= DEPTH; ++l) {
        int from = l == 0 ? 0 : IN * W + (l - 1) * HIDDEN, count = l == 0 ? IN * W : l == DEPTH ? W : HIDDEN;
        record[l].gradient = root(squares(g + from, count));
        record[l].mean = sizes(g + from, count);
        record[l].weights = root(squares(flat + from, count));
        record[l].update = root(squares(u + from, count));
    }
    for (int i = 0; i < SIZE; ++i) flat[i] += u[i];
}

template <bool SIGMOID>
static void train(V* parameters, V* moments, const float* inputs, const std::int32_t* targets,
                  const std::int32_t* orders, int epochs, V* record) {
    Network& net = *(Network*)parameters;
    int number = 0;
    for (int epoch = 0; epoch < epochs; ++epoch)
        for (int start = 0; start < SAMPLES; start += BATCH) {
            ++number;
            const std::int32_t* from = orders + (std::int64_t)epoch * 8 * SAMPLES + start;
            Layer* of_layers = (Layer*)record;
            V* of_step = record + sizeof(Layer) / sizeof(V) * (DEPTH + 1);
            record = of_step + 4;
            if (SAMPLES - start >= BATCH)
                step<SIGMOID, BATCH>(net, moments, moments + SIZE, number, inputs, targets, from, of_layers, of_step);
            else
                step<SIGMOID, SAMPLES % BATCH>(net, moments, moments + SIZE, number, inputs, targets, from, of_layers,
                                               of_step);
        }
}

// How many vectors a block's parameters are, and its record of a step.
extern "C" int limit_size() { return SIZE; }
extern "C" int limit_record() { return (int)(sizeof(Layer) / sizeof(V)) * (DEPTH + 1) + 4; }

// orders: [epochs, 8, SAMPLES]; record: [steps, limit_record()].
extern "C" void limit_train(int sigmoid, V* parameters, V* moments, const float* inputs, const std::int32_t* targets,
                            const std::int32_t* orders, int epochs, V* record) {
    (sigmoid ? train<true> : train<false>)(parameters, moments, inputs, targets, orders, epochs, record);
}
