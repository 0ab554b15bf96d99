"""Figures as PNG files, drawn without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from undertow.errors import UndertowError, needs
from undertow.show.figure import Figure

SCALE = 2  # pixels of the file to one of the figure: sharp on a slide


def write(folder: str | Path, figures: Iterable[Figure]) -> list[Path]:
    """Write `NAME.png` for each figure, and return the paths.

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
            path.write_bytes(content)
    except OSError as error:
        raise UndertowError(
            f"cannot write figures to {folder}: {error.strerror}. Name a folder with -o"
        ) from None
    return [path for path, _ in drawn]


def picture(figure: Figure) -> bytes:
    """Draw one figure as PNG."""
    convert = needs("vl_convert", "show")
    return convert.vegalite_to_png(json.dumps(figure.chart.to_dict(), allow_nan=False), scale=SCALE)
