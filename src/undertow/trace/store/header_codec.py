"""A run's header as the JSON text that its row in a store holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from undertow.trace.record import Header

if TYPE_CHECKING:
    pass


def header_json(header: Header) -> str:
    return json.dumps(
        {
            "layers": [layer._asdict() for layer in header.layers],
            **{name: value for name, value in asdict(header).items() if name != "layers"},
        }
    )
