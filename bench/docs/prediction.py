"""Predicted against measured gradients of untrained networks, layer by layer: nothing is trained.

    python -m bench.docs.prediction                 400 networks of each of 432 kinds
    python -m bench.docs.prediction --networks 100 --widths 10 50 --depths 5 10

Every kind of network sees one batch of 32 of two moons, or of the digits. At depths 5 and 10 the
root mean square over networks of every layer's |dE/dW| is compared with the predicted one; at
depth 30, where a few networks make the root mean square, the mean of its log10 with the predicted
one shifted. The last table asks how often log10 |delta_1| / |delta_L| of ONE input lies within
two predicted standard deviations of the predicted mean, dead networks apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from statistics import median
from typing import NamedTuple

import numpy as np
import torch

import undertow as ut
from undertow.data.dataset import Data, load
from undertow.engine.common import norms
from undertow.engine.common.losses import derivative
from undertow.engine.common.normalisation import running_statistics
from undertow.engine.common.parameters import initial_parameters
from undertow.engine.torch.buffers import step_buffers
from undertow.engine.torch.forward_backward import backward, forward
from undertow.prediction.from_spec import chain
from undertow.prediction.network import gradients_of
from undertow.theory.finite_width.scatter import finite_width

ACTIVATIONS = ("sigmoid", "tanh", "relu", "gelu", "selu", "leaky_relu")
INITIALISATIONS = ("glorot_uniform", "he_normal", "torch_default", "lecun_normal")
BATCH = 32
NUMBERS = 40_000_000  # parameters drawn at once
TARGETS = {200: 0.03, 10: 0.10}  # dex, by width, of the root mean squares at depths 5 and 10


class Case(NamedTuple):
    spec: ut.NetworkSpec
    data: Data

    @property
    def loss(self) -> str:
        return "binary_cross_entropy" if self.spec.outputs == 1 else "cross_entropy"


class Found(NamedTuple):
    case: Case
    off: np.ndarray  # dex, [layers]: measured less predicted
    covered: float  # share of networks within the band, of one input
    caution: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=400)
    parser.add_argument("--depths", type=int, nargs="+", default=[5, 10, 30])
    parser.add_argument("--widths", type=int, nargs="+", default=[10, 50, 200])
    arguments = parser.parse_args()
    kinds = list(cases(arguments.depths, arguments.widths))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        found = list(processes.map(partial(compared, networks=arguments.networks), kinds))
    print(f"{arguments.networks} networks of each kind, batches of {BATCH}\n")
    for apart in (False, True):
        some = [each for each in found if bool(each.caution) == apart]
        if not some:
            continue
        print("elasticity above 1: the scatter grows with depth" if apart else "all others")
        print(f"{'depth':>6}{'width':>6}{'kinds':>7}{'median |off|':>14}{'worst':>8}{'target':>8}")
        for depth, width in product(arguments.depths, arguments.widths):
            here = [
                each
                for each in some
                if (each.case.spec.depth, each.case.spec.width) == (depth, width)
            ]
            if here:
                offs = np.abs(np.concatenate([each.off for each in here]))
                target = TARGETS.get(width) if depth < 30 and not apart else None
                print(
                    f"{depth:>6}{width:>6}{len(here):>7}{np.median(offs):>14.3f}"
                    f"{offs.max():>8.2f}{target or '':>8}"
                )
        print()
    print("the kinds that are furthest off, and those apart:")
    order = sorted(found, key=lambda each: -float(np.median(np.abs(each.off))))
    for each in order[:12]:
        print(
            f"  {name(each.case):<56}{np.median(np.abs(each.off)):>6.2f} dex  {each.caution[:15]}"
        )
    covered = [each.covered for each in found if np.isfinite(each.covered)]
    print("\none input, log10 |delta_1| / |delta_L| within two standard deviations:")
    print(f"  median over kinds {median(covered):.1%}; between {min(covered):.1%} and", end=" ")
    print(f"{max(covered):.1%}; {np.mean([0.93 <= c <= 0.98 for c in covered]):.0%} in 93 to 98 %")


def cases(depths: list[int], widths: list[int]) -> Iterator[Case]:
    for data, outputs in ((load("moons"), 1), (load("digits"), 10)):
        for depth, width, activation, scheme in product(
            depths, widths, ACTIVATIONS, INITIALISATIONS
        ):
            spec = ut.NetworkSpec(
                inputs=data.train_inputs.shape[1],
                outputs=outputs,
                depth=depth,
                width=width,
                activation=activation,
                initialisation=scheme,
            )
            yield Case(spec, data.first(BATCH))


def compared(case: Case, networks: int) -> Found:
    torch.set_num_threads(1)  # a process a core
    weights, ratios = measured(case, networks)
    trace = ut.predict(
        case.spec, case.data.train_inputs, targets=case.data.train_targets, loss=case.loss
    )
    theory = {each: trace.dataset[each].values[0, 0] for each in ("grad_norm", "median_shift_dex")}
    logs = np.log10(np.maximum(weights, 1e-300))
    if case.spec.depth < 30:
        off = 0.5 * np.log10(np.mean(weights**2, 0)) - np.log10(theory["grad_norm"])
    else:
        alive = (weights > 0).all(1)
        off = logs[alive].mean(0) - np.log10(theory["grad_norm"]) - theory["median_shift_dex"]
    return Found(case, off, coverage(case, ratios), trace.attributes["caution"])


def coverage(case: Case, ratios: np.ndarray) -> float:
    """Share of networks whose ratio of deltas, of one input, lies in the predicted band."""
    found, x = chain(case.spec), case.data.train_inputs[:1].astype(np.float64)
    gradients = gradients_of(found, x, error_kernel=np.ones((1, 1)))
    scatter = finite_width(
        found.activations[0],
        gradients.preactivation_rms[:-1] ** 2,
        case.spec.width,
        found.weight_variances[1:],
        found.bias_variances[1:],
    )
    centre = np.log10(gradients.delta_norm[0] / gradients.delta_norm[-2])
    centre += scatter.ratio_shift_dex[0]
    alive = np.isfinite(ratios)
    if not alive.any():
        return float("nan")
    return float(np.mean(np.abs(ratios[alive] - centre) <= 2 * scatter.ratio_sd_dex[0]))


@torch.no_grad()
def measured(case: Case, networks: int) -> tuple[np.ndarray, np.ndarray]:
    """|dE/dW| of the batch, [networks, layers], and log10 |delta_1| / |delta_L| of its first input.

    In float64; a network that is dead at some layer has no ratio, NaN.
    """
    spec, together = case.spec, max(1, NUMBERS // case.spec.parameters)
    inputs = torch.from_numpy(case.data.train_inputs).double()
    targets = torch.from_numpy(case.data.train_targets)
    weights, ratios = [], []
    for first in range(0, networks, together):
        seeds = list(range(first, min(first + together, networks)))
        parameters = initial_parameters(spec, seeds, torch.float64)
        for batch in (len(inputs), 1):
            at = step_buffers(spec, len(seeds), batch, torch.float64).each[0]
            given = inputs[:batch].T.expand(len(seeds), -1, -1).contiguous()
            running = running_statistics(spec, len(seeds), torch.float64)
            forward(spec, parameters, running, given, at, training=True)
            truth = targets[:batch].expand(len(seeds), -1)
            derivative(case.loss, at.logits, truth, at.last_delta)
            backward(spec, parameters, given, at)
            if batch > 1:
                weights.append(torch.stack([norms.norm(w) for w in at.gradient.weights], 1))
        deltas = norms.norm(at.deltas)  # [layers, R]
        ratio = torch.log10(deltas[0] / deltas[-1])
        ratios.append(torch.where((deltas > 0).all(0), ratio, torch.nan))
    return torch.cat(weights).numpy(), torch.cat(ratios).numpy()


def name(case: Case) -> str:
    spec = case.spec
    return (
        f"{case.data.name} {spec.activation} {spec.initialisation}, depth {spec.depth}, width "
        f"{spec.width}"
    )


if __name__ == "__main__":
    main()
