"""One file of each kind that is discovered, by its place in the package."""

ACTIVATION = '''"""A sine."""

import numpy as np

from undertow.activations.activation import Activation

ACTIVATION = Activation("sine", np.sin, np.cos, may_die=False, torch=("sin",))
'''

DATA_SET = '''"""Two stripes in a plane."""

import numpy as np

from undertow.data.dataset import Data, DataSet


def make() -> Data:
    inputs = np.random.default_rng(0).uniform(-1, 1, (120, 2)).astype(np.float32)
    targets = (np.sin(5 * inputs[:, 0]) > 0).astype(np.int64)
    return Data("stripes", inputs[:90], targets[:90], inputs[90:], targets[90:])


DATA_SET = DataSet("stripes", "two stripes in a plane", make)
'''

REMEDY = '''"""Sines."""

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_network

REMEDY = Remedy(
    name="sine-units",
    advice="units that wave",
    strength="They wave at the gradient.",
    weakness="They never hold still.",
    applies="On stripes.",
    on_trial=lambda trial: with_network(trial, activation="sine"),
)
'''

RULE = '''"""UT199: weights of any size at all."""

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import Outcome, Passed, Rule, make_found
from undertow.diagnosis.threshold import Threshold

ANY_WEIGHT = Threshold("any_weight", 0.125, "norm", "A weight above it is one.", gt=0)


def check(reading: Evidence) -> Outcome:
    large = (reading.birth("weight_norm") > reading.limit(ANY_WEIGHT)) & reading.matrix
    if not large.any():
        return Passed("the weights are very small")
    return make_found(large.any(1), large, True, "there are weights")


RULE = Rule(
    "UT199", "weights at all", "serious", ("weight_norm",), check, remedies=("sine-units",)
)
'''

CLAIM = '''"""Claim 99: sines are as good as ReLU."""

from undertow.studies.experiment import Arms, Claim, ClaimVerdict


def judge(arms: Arms) -> ClaimVerdict:
    networks = sum(trace.dataset.sizes["replicate"] for trace in arms.values())
    return ClaimVerdict("supported", f"So say {networks} networks.")


CLAIM = Claim(99, "Sines are as good as anything.", ("relu", "sine-units"), judge)
'''

EXPERIMENT = '''"""Two stripes: ReLU against sines."""

from undertow.experiments.claims import c99_sines
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies.experiment import Arm, Experiment

NETWORK = NetworkSpec(inputs=2, outputs=1, depth=2, width=6, activation="relu")
HOW = TrainingSpec(epochs=3)

EXPERIMENT = Experiment(
    name="two-stripes",
    title="Two stripes, 2 hidden layers",
    data="stripes",
    arms=(
        Arm("relu", NETWORK, HOW, "ReLU"),
        Arm("sine-units", with_changes(NETWORK, activation="sine"), HOW, "sines"),
    ),
    baseline="relu",
    claims=(c99_sines.CLAIM,),
    discussed=True,
)
'''

SINK = '''"""Steps as words in a list."""

from undertow.trace.record import Chunk, Event, Header


class Words:
    def __init__(self) -> None:
        self.words: list[str] = []

    def begin(self, header: Header) -> None:
        self.words.append("begin")

    def relabel(self, header: Header) -> None:
        self.words.append(f"{len(header.layers)} layers")

    def rows(self, chunk: Chunk) -> None:
        self.words += [f"step {step}" for step in chunk.steps]

    def event(self, event: Event) -> None:
        self.words.append(event.kind)

    def finish(self, state: str) -> None:
        self.words.append(state)


SINK = Words
'''

FILES = {
    "activations/sine.py": ACTIVATION,
    "data/sets/stripes.py": DATA_SET,
    "remedies/sine_units.py": REMEDY,
    "diagnosis/rules/ut199_weights.py": RULE,
    "experiments/claims/c99_sines.py": CLAIM,
    "experiments/two_stripes.py": EXPERIMENT,
    "trace/sinks/words.py": SINK,
}
