"""How long a trainability map takes, and the picture of it that the documentation shows.

    python -m bench.training.atlas [--networks 10000] [--picture docs/images/atlas-tanh.png]

For each activation, into a store that is thrown away; the target is 2 minutes for 10,000 networks
on two cores. The picture is tanh's.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from undertow.show import png
from undertow.show.figures.atlas import Square
from undertow.show.figures.atlas import atlas as drawn
from undertow.studies.atlas import BIAS_VARIANCE, NETWORKS
from undertow.verbs.atlas import atlas

TARGET = 120.0  # seconds, of 10,000


def main() -> None:
    """Train, and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument("--picture")
    parser.add_argument("--only", choices=sorted(BIAS_VARIANCE))
    chosen = parser.parse_args()
    for activation in [chosen.only] if chosen.only else BIAS_VARIANCE:
        with tempfile.TemporaryDirectory() as folder:
            document = atlas(
                activation,
                networks=chosen.networks,
                store=str(Path(folder) / "runs.db"),
                report=None,
                fresh=True,
                command="",
            )
        trained, seconds = document["networks"], document["seconds"]
        print(
            f"{activation}: {trained:,} networks in {seconds:.1f} s, "
            f"{1e3 * seconds / trained:.2f} ms each (asked of 10,000: {TARGET:.0f} s)\n"
            f"  {document['summary']}"
        )
        if chosen.picture and activation == "tanh":
            cells = [
                Square(cell["depth"], cell["weight_variance"], cell["trained_fraction"])
                for cell in document["cells"]
            ]
            png.write_one(chosen.picture, drawn(activation, BIAS_VARIANCE[activation], cells))


if __name__ == "__main__":
    main()
