"""What a specification's initialisation draws, as variances."""

from __future__ import annotations

from undertow.activations.activation import Activation, find
from undertow.errors import SpecError
from undertow.prediction.chain import Chain
from undertow.spec.names import parse_initialisation
from undertow.spec.network import NetworkSpec
from undertow.theory.gaussian.known import kernel_of


def chain(spec: NetworkSpec) -> Chain:
    """Return what the theory needs of a specification.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=2, width=10, activation="tanh")
    >>> [round(variance, 3) for variance in chain(spec).weight_variances]
    [0.333, 1.0, 1.818]

    Raises
    ------
    SpecError
        A rule that changes the gradient on its way back: theory knows plain ones only.
    """
    if spec.gradient != "plain":
        raise SpecError(f"gradient = '{spec.gradient}': theory predicts plain gradients only")
    shapes = spec.layer_shapes
    schemes = [spec.initialisation] * spec.depth + [spec.head_initialisation or spec.initialisation]
    drawn = [
        variances(scheme, *shape, gain=spec.gain)
        for scheme, shape in zip(schemes, shapes, strict=True)
    ]
    phi, taken_off = find(spec.activation), 0.0
    if parse_initialisation(spec.initialisation)[0] == "centred_normal":
        phi, taken_off = _less(phi, 0.5), 0.5
    return Chain(
        names=spec.layer_names,
        widths=(spec.inputs, *[spec.width] * spec.depth, spec.outputs),
        activations=(phi,) * spec.depth,
        normalisations=(spec.normalisation,) * spec.depth,
        weight_variances=tuple(weight for weight, _ in drawn),
        bias_variances=tuple(bias for _, bias in drawn),
        skips=spec.skips,
        branch_scale=spec.branch_scale,
        taken_off=taken_off,
    )


def variances(
    initialisation: str, fan_in: int, fan_out: int, *, gain: float = 1.0
) -> tuple[float, float]:
    """Return fan_in Var W and Var b of a layer.

    >>> variances("glorot_uniform", 10, 30)
    (0.5, 0.0)
    >>> variances("torch_default", 10, 30)
    (0.3333333333333333, 0.03333333333333333)

    Sources: as `engine/common/initial_weights.py`. An orthogonal matrix has the variance
    1 / fan_in, or 1 / fan_out where that is larger; its rows are not independent, which the
    theory leaves out.
    """
    name, numbers = parse_initialisation(initialisation)
    scheme = name.partition("_")[0]
    weight = {
        "glorot": 2 * fan_in / (fan_in + fan_out),
        "he": 2.0,
        "lecun": 1.0,
        "torch": 1 / 3,
        "orthogonal": fan_in / max(fan_in, fan_out),
        "normal": fan_in * (numbers or (0,))[0] ** 2,
        "scaled": (numbers or (0,))[0],
        "centred": (numbers or (0,))[0],
    }[scheme]
    bias = {"torch": 1 / (3 * fan_in), "scaled": (*numbers, 0, 0)[1]}.get(scheme, 0.0)
    return gain**2 * weight, bias


def _less(phi: Activation, number: float) -> Activation:
    return Activation(
        f"{phi.name} - {number}",
        lambda z: phi.value(z) - number,
        phi.slope,
        phi.kinks,
        phi.largest_slope,
        kernel=kernel_of(find("centred_sigmoid"))
        if (phi.name, number) == ("sigmoid", 0.5)
        else None,
    )
