// The two losses, their derivatives by the logits, and which answers are right.
#pragma once

#include "functions.h"
#include "names.h"

#define LOSSES(EACH) EACH(BINARY, "binary_cross_entropy") EACH(CATEGORICAL, "cross_entropy")
enum Loss { LOSSES(CONSTANT_OF) };

// Means over a batch.
struct Answer {
    Lane loss, accuracy;
};

// Class of sample s: logits [outputs, batch]. NaN counts as the largest, as in PyTorch.
static inline Lane class_of(int loss, const Lane* logits, int outputs, int batch, int s) {
    if (loss == BINARY) return counted(logits[s] > 0.0f);
    Lane best = logits[s], found = all(0.0f);
    for (int kind = 1; kind < outputs; ++kind) {
        Lane here = logits[kind * batch + s];
        Bits better = (here > best) | ((here != here) & (best == best));
        best = better ? here : best;
        found = better ? all((float)kind) : found;
    }
    return found;
}

// What is subtracted before the exponentials, so that none overflows.
static inline Lane largest_logit(const Lane* logits, int outputs, int batch, int s) {
    Lane most = logits[s];
    for (int kind = 1; kind < outputs; ++kind) {
        Lane here = logits[kind * batch + s];
        most = ((here > most) | (here != here)) ? here : most;
    }
    return most;
}

static inline Lane loss_of(int loss, const Lane* logits, Lane truth, int outputs, int batch, int s) {
    if (loss == BINARY) {
        Lane z = logits[s];
        return at_least(z, all(0.0f)) - z * truth + logarithm_of_one_and(exponential(-magnitude(z)));
    }
    Lane most = largest_logit(logits, outputs, batch, s), sum = all(0.0f), own = all(0.0f);
    for (int kind = 0; kind < outputs; ++kind) {
        Lane above = logits[kind * batch + s] - most;
        sum += exponential(above);
        own = truth == (float)kind ? above : own;
    }
    return logarithm(sum) - own;
}

static inline Answer answer(int loss, const Lane* logits, const Lane* truth, int outputs, int batch) {
    Answer mean{all(0.0f), all(0.0f)};
    for (int s = 0; s < batch; ++s) {
        mean.loss += loss_of(loss, logits, truth[s], outputs, batch, s);
        mean.accuracy += counted(class_of(loss, logits, outputs, batch, s) == truth[s]);
    }
    mean.loss /= (float)batch;
    mean.accuracy /= (float)batch;
    return mean;
}

// d loss / d logits of the mean over the batch.
static inline void derivative(int loss, const Lane* logits, const Lane* truth, Lane* delta, int outputs,
                              int batch) {
    float samples = (float)batch;
    for (int s = 0; s < batch; ++s) {
        if (loss == BINARY) {
            for (int kind = 0; kind < outputs; ++kind)
                delta[kind * batch + s] = (logistic(logits[kind * batch + s]) - truth[s]) / samples;
            continue;
        }
        Lane most = largest_logit(logits, outputs, batch, s), sum = all(0.0f);
        for (int kind = 0; kind < outputs; ++kind)
            sum += delta[kind * batch + s] = exponential(logits[kind * batch + s] - most);
        for (int kind = 0; kind < outputs; ++kind) {
            Lane share = delta[kind * batch + s] / sum - counted(truth[s] == (float)kind);
            delta[kind * batch + s] = share / samples;
        }
    }
}
