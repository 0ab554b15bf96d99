"""The change that an optimizer makes to each weight, without a second copy of the model.

Of a tensor of up to `WHOLE` entries all are compared. Of a larger one `DRAWN` are drawn at random,
with replacement, once for the whole run; the mean square of their changes, times the tensor's size,
is an unbiased estimate of the squared norm, and their scatter gives its standard error (Cochran,
Sampling Techniques, 3rd ed. 1977, section 2.6).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from undertow.watching.gradients import local
from undertow.watching.norms import norms, numbers

WHOLE = 4096
DRAWN = 1024


class Updates:
    """Entries of some parameters, kept from before an update until after it."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        # A generator of its own: the random numbers of the training stay as they are.
        self._generator = torch.Generator().manual_seed(0)
        self._drawn: dict[int, Tensor] = {}
        self._before: dict[int, Tensor] = {}  # by parameter

    @torch.no_grad()
    def weight_norms(self, places: Sequence[int]) -> np.ndarray:
        """Return the norm of these parameters as they are now, of a sharded one its share here."""
        return numbers(norms([local(self._parameters[place]) for place in places]))

    @torch.no_grad()
    def keep(self, places: Sequence[int]) -> None:
        """Keep entries of these parameters as they are now."""
        for place in places:
            entries = self._entries(place)
            self._before[place] = entries if place in self._drawn else entries.clone()

    @torch.no_grad()
    def changes(self) -> dict[int, tuple[float, float]]:
        """Return the norm of each change since `keep`, and its standard error."""
        before, self._before = self._before, {}
        kept = [place for place, entries in before.items() if entries.numel()]
        found = dict.fromkeys(before, (0.0, 0.0))  # an empty share changes by nothing
        if not kept:
            return found
        after = _joined([self._entries(place) for place in kept])
        squares = (after - _joined([before[place] for place in kept])) ** 2
        counts = np.array([before[place].numel() for place in kept])
        starts = np.cumsum(counts) - counts
        sums = np.add.reduceat(squares, starts)
        second = np.add.reduceat(
            (squares / np.repeat(np.where(sums > 0, sums, 1), counts)) ** 2, starts
        )
        sizes = np.array([local(self._parameters[place]).numel() for place in kept])
        estimate = np.sqrt(sums * sizes / counts)
        # The relative variance of a mean of squares s is (mean s^2 / mean(s)^2 - 1) / count, and
        # half its root that of the mean's root.
        error = np.sqrt(np.maximum(second * counts - 1, 0) / counts) / 2 * estimate
        error[[place not in self._drawn for place in kept]] = 0.0
        return found | dict(
            zip(kept, zip(estimate.tolist(), error.tolist(), strict=True), strict=True)
        )

    def _entries(self, place: int) -> Tensor:
        flat = local(self._parameters[place])
        flat = flat.view(-1) if flat.is_contiguous() else flat.reshape(-1)
        if flat.numel() <= WHOLE:
            return flat
        if place not in self._drawn:
            drawn = torch.randint(flat.numel(), (DRAWN,), generator=self._generator)
            self._drawn[place] = drawn.to(flat.device)
        return flat.index_select(0, self._drawn[place])


def _joined(entries: Sequence[Tensor]) -> np.ndarray:
    """Return the entries of several parameters in one array, waiting once a device."""
    if len({(each.dtype, each.device) for each in entries}) == 1:
        return _array(torch.cat(list(entries)))
    return np.concatenate([_array(each) for each in entries])


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().double().numpy()
