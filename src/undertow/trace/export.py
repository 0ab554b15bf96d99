"""A trace as NetCDF or CSV, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from undertow import files
from undertow.errors import SpecError, StoreError
from undertow.trace.record import Trace, plain_attributes
from undertow.trace.schema import ARTEFACTS


def export(trace: Trace, path: str | Path) -> None:
    """Write a trace to `path`: NetCDF for .nc, a long table of one cell a row for .csv.

    >>> import tempfile, xarray
    >>> trace = Trace(xarray.Dataset({"loss": (("replicate", "step"), [[0.7, 0.4]])}))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(trace, f"{folder}/run.csv")
    ...     print(Path(folder, "run.csv").read_text(), end="")
    replicate,step,loss
    0,0,0.7
    0,1,0.4

    Raises
    ------
    SpecError
        Another ending.
    StoreError
        The file cannot be written; what was there before stays.
    """
    path = Path(path)
    writers: dict[str, Callable[[Trace, Path], None]] = {".nc": _netcdf, ".csv": _csv}
    if path.suffix not in writers:
        raise SpecError(
            f"cannot export to '{path.name}': the name must end in {' or '.join(writers)}"
        )
    try:
        with files.replacing(path) as part:
            writers[path.suffix](trace, part)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None


def _netcdf(trace: Trace, path: Path) -> None:
    """Write NetCDF 3, artefacts and events included; SciPy writes it, so nothing more is needed."""
    dataset = trace.to_xarray()
    for name, array in trace.artefacts.items():
        dataset[name] = (ARTEFACTS[name].dims, array, {"long_name": ARTEFACTS[name].meaning})
    events = [event._asdict() for event in trace.events]
    dataset.attrs = plain_attributes(dataset.attrs | {"events": events})
    # xarray's annotation says PathLike, not of what.
    dataset.to_netcdf(  # pyright: ignore[reportUnknownMemberType]
        path, engine="scipy", format="NETCDF3_64BIT"
    )


def _csv(trace: Trace, path: Path) -> None:
    """Write one row a (replicate, step, layer), the variables as columns; empty: not measured."""
    frame = trace.to_xarray().to_dataframe()
    # The annotation of pandas says Callable, not returning what.
    frame.reset_index().to_csv(path, index=False)  # pyright: ignore[reportUnknownMemberType]
