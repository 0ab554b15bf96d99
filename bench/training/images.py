"""The `baseline` arm of fashion-remedies beside the machine's products and the published loop.

Called by `python -m bench.training.laboratory --images DIR`, DIR the folder of Fashion-MNIST's
files; it needs Pillow (pip install pillow). All in one process, A B A B:

  products     float32 products of two 512 x 512 matrices, the rate the machine can reach
  Undertow     3 replicates, recorded as `undertow run` records them
  notebook     one network, DataLoader over single samples, each turned into a tensor when asked for
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from undertow.data.dataset import Data, load
from undertow.engine.choice import choose_engine
from undertow.executors.jobs import Job, Part
from undertow.executors.train_job import train_job
from undertow.experiments import experiment
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec

REPLICATES = 3
SIDE, PRODUCTS = 512, 300
RATE, FASTER, MEMORY = 0.58, 4.0, 3.0  # the targets: share of the rate, times the loop, GB


def main(folder: str, rounds: int, epochs: int) -> None:
    study = experiment("fashion-remedies")
    data = load(study.data, folder).first(study.train_samples)
    arm = study.arm("baseline")
    training = with_changes(arm.training, epochs=epochs)

    def undertow() -> float:
        part = Part(0, 0, arm.network, tuple(range(REPLICATES)))
        job = Job((part,), training, choose_engine(arm.network, REPLICATES), study.every)
        return timed(lambda: list(train_job(job, data)))

    programs: dict[str, Callable[[], float]] = {
        "products": products,
        "Undertow": undertow,
        "notebook": lambda: timed(lambda: notebook(arm.network, data, training.learning_rate)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            seconds[name].append(program())
    rates = [
        operations(arm.network, data) * REPLICATES * epochs / taken for taken in seconds["Undertow"]
    ]
    peaks = [2 * SIDE**3 * PRODUCTS / taken for taken in seconds["products"]]
    share = median(rate / peak for rate, peak in zip(rates, peaks, strict=True))
    times = median(
        loop / (taken / (REPLICATES * epochs))
        for loop, taken in zip(seconds["notebook"], seconds["Undertow"], strict=True)
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"Fashion-MNIST, 7 hidden layers of 128, {epochs} epochs, medians of {rounds} rounds")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"  products of {SIDE} x {SIDE}           {median(peaks) / 1e9:8.0f} GFLOP/s")
    print(f"  Undertow, {REPLICATES} replicates          {median(rates) / 1e9:8.0f} GFLOP/s")
    an_epoch = median(seconds["Undertow"]) / epochs / REPLICATES
    print(f"  an epoch of one network: Undertow  {an_epoch:.2f} s")
    print(f"  an epoch of one network: notebook  {median(seconds['notebook']):.2f} s")
    print(f"{'target':<58}{'found':>8}")
    print(f"{f'at least {RATE:.0%} of the products, recording':<58}{share:>8.0%}")
    print(f"{f'at least {FASTER:g} x the notebook, an epoch of one network':<58}{times:>8.1f}")
    print(f"{f'peak memory under {MEMORY:g} GB, all of this process':<58}{memory:>8.2f}")


def operations(spec: NetworkSpec, data: Data) -> float:
    """Multiplications and additions of an epoch of one network.

    Two a weight and sample for each of the three products; the first layer has no dE/dx.
    """
    weights = [fan_in * fan_out for fan_in, fan_out in spec.layer_shapes]
    return len(data.train_targets) * (6.0 * sum(weights) - 2.0 * weights[0])


def products() -> float:
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    out = torch.empty(SIDE, SIDE)
    return timed(lambda: [torch.mm(a, b, out=out) for _ in range(PRODUCTS)])


class Pictures(torch.utils.data.Dataset):
    """Single pictures, turned into tensors one at a time, as torchvision's data set does.

    The published notebook has `FashionMNIST(transform=ToTensor())`: bytes become a PIL image, and
    the image a tensor. torchvision itself looks up more a picture and takes a fifth longer.
    """

    def __init__(self, data: Data) -> None:
        pixels = (data.train_inputs * 255).round().astype("uint8").reshape(-1, 28, 28)
        self.pixels, self.targets = torch.from_numpy(pixels), torch.from_numpy(data.train_targets)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.pixels[place].numpy())
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True)).view(28, 28, 1)
        pixels = pixels.permute(2, 0, 1).contiguous()
        return pixels.to(torch.float32).div(255), int(self.targets[place])


def notebook(spec: NetworkSpec, data: Data, rate: float) -> None:
    """One epoch of the published loop; it records nothing."""
    sizes = [nn.Linear(*shape) for shape in spec.layer_shapes]
    hidden = [part for linear in sizes[:-1] for part in (linear, nn.Sigmoid())]
    model = nn.Sequential(nn.Flatten(), *hidden, sizes[-1])
    sgd = torch.optim.SGD(model.parameters(), lr=rate)
    loader = torch.utils.data.DataLoader(Pictures(data), batch_size=512, shuffle=True)
    for inputs, targets in loader:
        sgd.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        sgd.step()


def timed(program: Callable[[], object]) -> float:
    began = time.perf_counter()
    program()
    return time.perf_counter() - began
