"""The change that an optimizer makes to each weight, without a second copy of the model.

Of a tensor of up to `WHOLE` entries all are compared. Of a larger one so many are drawn at random,
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


class Updates:
    """Entries of some parameters, kept from before an update until after it."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        # A generator of its own: the random numbers of the training stay as they are.
        self._generator = torch.Generator().manual_seed(0)
        self._drawn: dict[int, Tensor] = {}
        self._before: dict[int, Tensor] = {}

    @torch.no_grad()
    def weight_norms(self, places: Sequence[int]) -> np.ndarray:
        """Return the norm of these parameters as they are now, of a sharded one its share here."""
        return numbers(norms([local(self._parameters[place]) for place in places]))

    @torch.no_grad()
    def keep(self, places: Sequence[int]) -> None:
        """Keep entries of these parameters as they are now."""
        for place in places:
            kept = self._entries(place)
            whole = place not in self._drawn
            self._before[place] = kept.clone() if whole else kept

    @torch.no_grad()
    def changes(self) -> dict[int, tuple[float, float]]:
        """Return the norm of each change since `keep`, and its standard error."""
        before, self._before = self._before, {}
        if not before:
            return {}
        changed = [self._entries(place) - kept for place, kept in before.items()]
        found = numbers(norms(changed))
        drawn = [i for i, place in enumerate(before) if place in self._drawn]
        fourths = np.zeros(len(changed))
        fourths[drawn] = numbers(norms([_scaled_square(changed[i], found[i]) for i in drawn]))
        result = {}
        for i, place in enumerate(before):
            if place not in self._drawn:
                result[place] = (found[i], 0.0)
                continue
            size, count = local(self._parameters[place]).numel(), changed[i].numel()
            # Of the drawn squares, over their sum: mean 1 / count, second moment fourths^2 / count.
            spread = np.sqrt(max(fourths[i] ** 2 / count - 1 / count**2, 0.0) / count)
            estimate = found[i] * np.sqrt(size / count)
            result[place] = (estimate, estimate * spread * count / 2)
        return result

    def _entries(self, place: int) -> Tensor:
        flat = local(self._parameters[place])
        flat = flat.view(-1) if flat.is_contiguous() else flat.reshape(-1)
        if flat.numel() <= WHOLE:
            return _wide(flat)
        if place not in self._drawn:
            drawn = torch.randint(flat.numel(), (WHOLE,), generator=self._generator)
            self._drawn[place] = drawn.to(flat.device)
        return _wide(flat.index_select(0, self._drawn[place]))


def _scaled_square(change: Tensor, size: float) -> Tensor:
    """Return the squares of a change over their sum, which float32 holds."""
    return (change / (size or 1.0)) ** 2


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
