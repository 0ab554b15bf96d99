"""Numbers as people read them, in tables and in sentences, and as JSON can hold them.

>>> counted(3, "layer"), scientific(1.24e-7), duration(150.0)
('3 layers', '1.2 × 10⁻⁷', '2.5 min')
"""

from __future__ import annotations

import math
from typing import Any

NOT_DEFINED = "-"  # in a table on the terminal
NOT_MEASURED = "·"  # in the live view
NONE = "–"  # on a page

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def finite(value: float) -> float | None:
    """Return a number as JSON can hold it: NaN and Inf become None.

    >>> finite(0.5), finite(float("nan"))
    (0.5, None)
    """
    return float(value) if math.isfinite(value) else None


def without_nan(document: Any) -> Any:
    """Return a document as JSON can hold it: NaN and Inf become None.

    >>> without_nan({"loss": float("nan"), "layers": [{"grad_norm": 0.5}]})
    {'loss': None, 'layers': [{'grad_norm': 0.5}]}
    """
    if isinstance(document, dict):
        return {name: without_nan(part) for name, part in document.items()}
    if isinstance(document, list):
        return [without_nan(part) for part in document]
    return finite(document) if isinstance(document, float) else document


def counted(count: int, noun: str) -> str:
    """Write a count with its noun.

    >>> counted(1, "replicate"), counted(20, "replicate")
    ('1 replicate', '20 replicates')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def duration(seconds: float) -> str:
    """Write a time as people do.

    >>> duration(42.0), duration(150.0), duration(9000.0)
    ('42 s', '2.5 min', '2.5 h')
    """
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.0f} s"


def power(exponent: int) -> str:
    """Write a power of ten.

    >>> power(-12)
    '10⁻¹²'
    """
    return "10" + str(exponent).translate(_RAISED)


def scientific(value: float) -> str:
    """Write a number for a sentence.

    >>> [scientific(value) for value in (1.24e-7, 0.0024, 51.3, 357.0, 4e5, 0.0)]
    ['1.2 × 10⁻⁷', '0.0024', '51', '357', '4 × 10⁵', '0']
    """
    if math.isnan(value):
        return "NaN"
    if value == 0 or math.isinf(value) or 1e-3 <= abs(value) < 1e4:
        return f"{value:.2g}" if not 100 <= abs(value) < 1e4 else f"{value:.0f}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits.removesuffix('.0')} × {power(int(exponent))}"


def grouped(value: float) -> str:
    """Write a number with two or three figures, in powers of ten where it is far from 1.

    >>> grouped(1.234e-7), grouped(4213.0), grouped(55.81), grouped(0.26012), grouped(0.0)
    ('1.2e-07', '4,210', '55.8', '0.26', '0')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e6:
        return f"{rounded(value, 3 if abs(value) >= 10 else 2):,.6g}"
    return f"{value:.1e}"


def rounded(value: float, figures: int = 2) -> float:
    """Round to so many figures.

    >>> rounded(1234.0), rounded(0.0456, 1)
    (1200.0, 0.05)
    """
    return float(f"{value:.{figures}g}")


def share_of(share: float) -> str:
    """Write a ratio so that it can be read out.

    >>> [share_of(share) for share in (1.6e-6, 0.7, 340.0, 0.0)]
    ['1/620,000 of', '0.70 of', '340 times', 'nothing of']
    """
    if not math.isfinite(share):
        return "no finite part of"
    if share == 0:
        return "nothing of"
    if 0.1 <= share < 10:
        return f"{share:.2f} of" if share < 1 else f"{share:.1f} times"
    if share >= 10:
        return f"{_large(share)} times"
    return f"1/{_large(1 / share)} of"


def about(dex: float) -> str:
    """Write a number of decades as a ratio that can be pictured.

    >>> about(-5.907), about(0.31), about(0.02)
    ('about 1/810,000 of', 'about 2 times', 'about as much as')
    """
    if abs(dex) < 0.15:
        return "about as much as"
    times = 10 ** abs(dex)
    if times > 1e12:
        return f"10^{dex:.0f} times"
    return f"about 1/{rounded(times):,.0f} of" if dex < 0 else f"about {rounded(times):,.0f} times"


def number(value: float | None, form: str) -> str:
    """Write a number for a terminal, or a dash where there is none.

    >>> number(1.06e-7, ".1e"), number(None, ".1e")
    ('1.1e-07', '-')
    """
    return NOT_DEFINED if value is None else format(value, form)


def short(value: float | None) -> str:
    """Write a number with two figures, without a power of ten where it is easily read.

    >>> short(121.08), short(0.000482), short(1.953e-06), short(None)
    ('120', '0.00048', '2e-06', '-')
    """
    return NOT_DEFINED if value is None else f"{rounded(value):g}"


def entry(value: float | None, digits: str = "", unit: str = "") -> str:
    """Write a number for a page, or a dash for one that is not defined.

    >>> entry(1.06e-7), entry(-5.907, "+.1f", " dex"), entry(None)
    ('1.1 × 10⁻⁷', '-5.9 dex', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    return (format(value, digits) if digits else scientific(value)) + unit


def live(value: float) -> str:
    """Write a number that changes while one looks, in few characters.

    >>> live(0.41234), live(3e-4), live(float("nan")), live(float("inf"))
    ('0.4123', '0.0003', '·', 'Inf')
    """
    if math.isnan(value):
        return NOT_MEASURED
    return f"{value:.4g}" if math.isfinite(value) else "Inf"


def decades(value: float, nonfinite: float = 0) -> str:
    """Write the logarithm of a size; a 0 has none, and what is not a number says so.

    >>> decades(1e-7), decades(0.0), decades(math.nan), decades(math.nan, 3), decades(math.inf)
    ('-7.00', '0', '·', 'NaN', 'Inf')
    """
    if math.isnan(value):
        return "NaN" if nonfinite > 0 else NOT_MEASURED
    if math.isinf(value):
        return "Inf"
    return f"{math.log10(value):+.2f}" if value > 0 else "0"


def percent(share: float, digits: int = 0) -> str:
    """Write a share.

    >>> percent(0.25), percent(0.001), percent(0.0), percent(math.nan), percent(0.0123, 1)
    ('25%', '<1%', '0%', '·', '1.2%')
    """
    if math.isnan(share):
        return NOT_MEASURED
    smallest = 10.0**-digits
    if 0 < 100 * share < smallest:
        return f"<{smallest:g}%"
    return f"{100 * share:.{digits}f}%"


def abbreviated(count: float) -> str:
    """Write a count in at most four characters.

    >>> [abbreviated(number) for number in (0.0, 999.0, 12345.0, 5.6e7, math.nan)]
    ['0', '999', '12k', '56M', '·']
    """
    if math.isnan(count):
        return NOT_MEASURED
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.0f}{unit}"
    return f"{count:.0f}"


def _large(value: float) -> str:
    return scientific(value) if value >= 1e9 else f"{rounded(value):,.0f}"
