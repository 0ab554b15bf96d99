"""Figures as PNG files, drawn without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from undertow import files
from undertow.errors import UndertowError, needs
from undertow.show.figure import Figure

SCALE = 2  # pixels of the file to one of the figure: sharp on a slide


def write(folder: str | Path, figures: Iterable[Figure]) -> list[Path]:
    """Write `NAME.png` for each figure, and return the paths.

    >>> import altair, tempfile
    >>> chart = altair.Chart(altair.Data(values=[{"x": 1}])).mark_point().encode(x="x:Q")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = write(folder, [Figure("dot", "", "", "", chart)])
    ...     path.name, path.read_bytes()[1:4]
    ('dot.png', b'PNG')

    Raises
    ------
    UndertowError
        The folder cannot be made or written.
    """
    folder = Path(folder)
    drawn = [(folder / f"{figure.name}.png", picture(figure)) for figure in figures]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in drawn:
            files.write(path, content)
    except OSError as error:
        raise UndertowError(
            f"cannot write figures to {folder}: {error.strerror}. Name a folder with -o"
        ) from None
    return [path for path, _ in drawn]


def write_one(path: str | Path, figure: Figure) -> None:
    """Write one figure, as PNG or, where the file's name ends so, as SVG.

    >>> import altair, tempfile
    >>> chart = altair.Chart(altair.Data(values=[{"x": 1}])).mark_point().encode(x="x:Q")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_one(f"{folder}/dot.svg", Figure("dot", "", "", "", chart))
    ...     Path(folder, "dot.svg").read_text()[:4]
    '<svg'

    Raises
    ------
    UndertowError
        The file cannot be written.
    """
    path = Path(path)
    content = vectors(figure).encode() if path.suffix == ".svg" else picture(figure)
    try:
        files.write(path, content)
    except OSError as error:
        raise UndertowError(
            f"cannot write the figure {path}: {error.strerror}. Name another file"
        ) from None


def vectors(figure: Figure) -> str:
    """Draw one figure as SVG."""
    convert = needs("vl_convert", "show")
    return convert.vegalite_to_svg(json.dumps(figure.chart.to_dict(), allow_nan=False))


def picture(figure: Figure) -> bytes:
    """Draw one figure as PNG."""
    convert = needs("vl_convert", "show")
    return convert.vegalite_to_png(json.dumps(figure.chart.to_dict(), allow_nan=False), scale=SCALE)
