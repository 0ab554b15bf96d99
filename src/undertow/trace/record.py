"""Trace, and the one builder that makes it."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from undertow.errors import TraceError
from undertow.trace.schema import LAYER_COORDINATES, SOURCES, VARIABLES, VERSION
from undertow.trace.showing import show

if TYPE_CHECKING:
    import pandas  # pyright: ignore[reportMissingTypeStubs]
    import xarray


class Layer(NamedTuple):
    """A module that holds a weight.

    >>> one = Layer("hidden_1", depth=1, kind="linear", activation="relu", fan_in=784, fan_out=100)
    >>> one.fan_in * one.fan_out, one.trainable
    (78400, True)
    """

    name: str
    depth: int
    kind: str
    activation: str
    fan_in: int
    fan_out: int
    trainable: bool = True


class Event(NamedTuple):
    """Something that happened to a run. Steps count from 1; `replicate` is a place, not a seed.

    >>> events = (Event("clipped", 3), Event("nonfinite", 12, "hidden_3", replicate=0))
    >>> [(event.step, event.layer) for event in events if event.kind == "nonfinite"]
    [(12, 'hidden_3')]
    """

    kind: str
    step: int
    layer: str | None = None
    replicate: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Header:
    """What is known of a run before its first step.

    >>> header = Header((), seeds=(7, 8), attributes={"source": "trained"})
    >>> trace = build(header, [])
    >>> trace.source, trace.dataset["seed"].values
    ('trained', array([7, 8]))
    """

    layers: tuple[Layer, ...]
    seeds: tuple[int, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Chunk:
    """The recorded steps of a stretch of a run, for replicates `first_replicate` onwards.

    >>> first = Chunk(np.array([1, 2]), np.array([1, 1]), {"loss": np.array([[0.7, 0.4]])})
    >>> second = Chunk(np.array([3]), np.array([2]), {"loss": np.array([[0.2]])})
    >>> build(Header((), (0,), {}), [first, second]).dataset["loss"].values
    array([[0.7, 0.4, 0.2]])

    `steps` and `epochs` have one entry a step, both counted from 1; an array of `arrays` has the
    dims that the schema gives its name. NaN stands for what was not measured at a step.
    """

    steps: np.ndarray
    epochs: np.ndarray
    arrays: Mapping[str, np.ndarray]
    first_replicate: int = 0


@dataclass(frozen=True)
class Trace:
    """What one run measured: arrays by (replicate, step, layer), events and artefacts.

    >>> import numpy as np
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> header = Header((layer,), (0,), {"source": "trained"})
    >>> chunk = Chunk(np.array([1]), np.array([1]), {"grad_norm": np.ones((1, 1, 1))})
    >>> trace = build(header, [chunk])
    >>> trace.source, trace.to_xarray()["grad_norm"].item()
    ('trained', 1.0)
    """

    dataset: xarray.Dataset
    events: tuple[Event, ...] = ()
    artefacts: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    @property
    def attributes(self) -> dict[str, Any]:
        """Provenance: source, created, versions, device, dtype, batch size and the like."""
        return dict(self.dataset.attrs)

    @property
    def source(self) -> str:
        """`predicted`, `trained` or `watched`."""
        return self.dataset.attrs["source"]

    def to_xarray(self) -> xarray.Dataset:
        """Return the arrays as an `xarray.Dataset` of the schema (docs/trace-schema.md)."""
        return self.dataset.copy()

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a (replicate, step, layer), the variables as columns."""
        # The annotation of pandas says Callable, not returning what.
        return self.to_xarray().to_dataframe().reset_index()  # pyright: ignore[reportUnknownMemberType]

    def plot(self, variable: str = "grad_norm") -> Any:
        """Return an Altair chart of a norm by layer: `grad_norm` or `delta_norm`."""
        return show(self, "plot", variable)

    def report(self, path: str | Path) -> str:
        """Write a report of this trace alone, one HTML file, and return its path."""
        return show(self, "report", str(path))

    def __str__(self) -> str:
        return show(self, "text")

    def _repr_html_(self) -> str:
        return show(self, "html")


def provenance(source: str, **attributes: Any) -> dict[str, Any]:
    """Stamp a run: who wrote it, when, with which versions, and how.

    >>> provenance("trained", dtype="float32")["dtype"]
    'float32'
    """
    if source not in SOURCES:
        raise TraceError(f"source '{source}': allowed are {', '.join(SOURCES)}.")
    return {
        "source": source,
        "schema": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "loss_reduction": "mean",
        "amp_scale": 1.0,
        "clipping": "none",
        "accumulation": 1,
        **attributes,
    }


def build(
    header: Header,
    chunks: Iterable[Chunk],
    events: Iterable[Event] = (),
    artefacts: Mapping[str, np.ndarray] | None = None,
) -> Trace:
    """Join chunks into a trace; a cell that no chunk covers is NaN: not measured.

    >>> chunk = Chunk(np.array([1, 2]), np.array([1, 1]), {"loss": np.array([[0.7, 0.4]])})
    >>> build(Header((), seeds=(0, 1), attributes={}), [chunk]).dataset["loss"].values
    array([[0.7, 0.4],
           [nan, nan]])

    Raises
    ------
    TraceError
        An array with a name or a shape that the schema does not know.
    """
    import xarray

    chunks = list(chunks)
    steps, epochs = _joined_steps(chunks)
    sizes = {"replicate": len(header.seeds), "step": len(steps), "layer": len(header.layers)}
    arrays: dict[str, np.ndarray] = {}
    for chunk in chunks:
        places = _places(steps, chunk.steps)
        for name, part in chunk.arrays.items():
            dims = _dims(name, part, len(chunk.steps), sizes["layer"])
            shape = tuple(sizes[dim] for dim in dims)
            if name not in arrays:
                arrays[name] = np.full(shape, np.nan, dtype=np.result_type(part))
            whole = arrays[name]
            if dims[0] == "replicate":
                last = chunk.first_replicate + part.shape[0]
                whole[chunk.first_replicate : last, places] = part
            else:
                whole[places] = part
    dataset = xarray.Dataset(
        {
            name: (
                VARIABLES[name].dims,
                array,
                {"units": VARIABLES[name].unit, "long_name": VARIABLES[name].meaning},
            )
            for name, array in arrays.items()
        },
        coords=_coordinates(header, steps, epochs),
        attrs=dict(header.attributes),
    )
    return Trace(dataset, tuple(events), dict(artefacts or {}))


def plain_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Turn attributes into what NetCDF can hold: None becomes "", a structure becomes JSON."""
    return {
        name: ""
        if value is None
        else value
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else json.dumps(value)
        for name, value in attributes.items()
    }


def _joined_steps(chunks: Sequence[Chunk]) -> tuple[np.ndarray, np.ndarray]:
    if not chunks:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    steps, first = np.unique(np.concatenate([chunk.steps for chunk in chunks]), return_index=True)
    return steps, np.concatenate([chunk.epochs for chunk in chunks])[first]


def _places(steps: np.ndarray, own: np.ndarray) -> slice | np.ndarray:
    """Return where a chunk's steps are among all: a slice, which is quicker, if side by side."""
    places = np.searchsorted(steps, own)
    if len(own) and np.array_equal(places - places[0], np.arange(len(own))):
        return slice(places[0], places[0] + len(own))
    return places


def _dims(name: str, part: np.ndarray, steps: int, layers: int) -> tuple[str, ...]:
    if name not in VARIABLES:
        raise TraceError(
            f"'{name}' is not a variable of the trace schema; allowed are {', '.join(VARIABLES)}."
        )
    dims = VARIABLES[name].dims
    sizes = {"replicate": part.shape[0] if part.ndim else -1, "step": steps, "layer": layers}
    wanted = tuple(sizes[dim] for dim in dims)
    if part.shape != wanted:
        raise TraceError(f"{name} has shape {part.shape}; its dims {dims} make it {wanted} here.")
    return dims


def _coordinates(header: Header, steps: np.ndarray, epochs: np.ndarray) -> dict[str, Any]:
    return {
        "replicate": np.arange(len(header.seeds)),
        "seed": ("replicate", np.asarray(header.seeds, dtype=np.int64)),
        "step": steps,
        "epoch": ("step", epochs),
        "layer": np.asarray([layer.name for layer in header.layers], dtype=str),
        **{
            name: ("layer", np.asarray([getattr(layer, name) for layer in header.layers]))
            for name in LAYER_COORDINATES
        },
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("undertow", "numpy", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
