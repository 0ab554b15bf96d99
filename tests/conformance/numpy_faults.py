"""NumPy watches with one fault each: the suite finds it, whatever the framework."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.numpy_net import RATE, Call, Layer, Net
from tests.conformance.numpy_watch import NumpyMeter, NumpyWatch, norm


class Faulty(NumpyWatch):
    """A watch whose meter has the fault; this one has none."""

    Meter: type[NumpyMeter] = NumpyMeter

    def measuring(self, net: Net) -> NumpyMeter:
        return self.Meter(net)


class NudgesAWeight(Faulty):
    class Meter(NumpyMeter):
        def came_back(self, layer: Layer, delta: np.ndarray) -> None:
            super().came_back(layer, delta)
            layer.weight += layer.weight.dtype.type(1e-6)


class DrawsRandomNumbers(Faulty):
    class Meter(NumpyMeter):
        def passed(self) -> None:
            super().passed()
            np.random.random()  # noqa: NPY002


class SwitchesToEvaluation(Faulty):
    def __init__(self, net: Net, *arguments: Any, **options: Any) -> None:
        super().__init__(net, *arguments, **options)
        net.training = False


class CountsPasses(Faulty):
    """Ends a step with each backward pass."""

    class Meter(NumpyMeter):
        session: Any = None

        def passed(self) -> None:
            super().passed()
            self.before = self.before or {each.name: each.weight for each in self.net.layers}
            self.session.close_step()

    def __init__(self, net: Net, *arguments: Any, **options: Any) -> None:
        super().__init__(net, *arguments, **options)
        net.observers.remove(self.end)
        self.meter.session = self.session  # pyright: ignore


class ReadsClippedGradients(Faulty):
    class Meter(NumpyMeter):
        def updating(self) -> None:
            super().updating()
            self.gradients = {each.name: each.weight_grad.copy() for each in self.net.layers}


class KeepsTheLastDelta(Faulty):
    """Of several micro-batches."""

    class Meter(NumpyMeter):
        def came_back(self, layer: Layer, delta: np.ndarray) -> None:
            super().came_back(layer, delta)
            self.deltas[layer.name] = [norm(delta)]


class ForgetsTheMomentum(Faulty):
    class Meter(NumpyMeter):
        def values(self, step: int, due: int | None) -> tuple[dict[str, Any], int | None]:
            found, due = super().values(step, due)
            found["update_norm"] = RATE * found["grad_norm"]
            return found, due


class ReadsOnceInAWhile(Faulty):
    """Gives, where steps are sampled, what it read first."""

    class Meter(NumpyMeter):
        first: dict[str, Any] | None = None

        def values(self, step: int, due: int | None) -> tuple[dict[str, Any], int | None]:
            found, due = super().values(step, due)
            self.first = self.first or found
            return (found if self.every == 1 else dict(self.first)), due

        every: int | str = 1

    def __init__(self, net: Net, optimizer: Any, **options: Any) -> None:
        super().__init__(net, optimizer, **options)
        self.meter.every = options["every"]  # pyright: ignore


class ReadsEveryForwardPass(Faulty):
    class Meter(NumpyMeter):
        def called(self, layer: Layer, call: Call) -> None:
            super().called(layer, call)
            if layer.name in self.calls:  # a pass after the training's own: an evaluation's
                self.calls[layer.name].append(call)


class FollowsCopies(Faulty):
    class Meter(ReadsEveryForwardPass.Meter):
        def __deepcopy__(self, memo: object) -> FollowsCopies.Meter:
            return self

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)


class CannotBePickled(Faulty):
    class Meter(NumpyMeter):
        def __reduce__(self) -> Any:
            raise TypeError("cannot pickle a meter")


class StaysOnTheNet(Faulty):
    class Meter(NumpyMeter):
        def detach(self) -> None:
            """Forget to."""


class SwallowsExceptions(Faulty):
    def __exit__(self, *error: Any) -> bool:
        super().__exit__(*error)
        return True
