"""What an experiment is: a data set, arms that differ in one thing, and the claims they decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from undertow.errors import UnknownName
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Trace

Arms = Mapping[str, Trace]


TOO_FEW = "Too few replicates to decide, or some without a number: type --replicates 50"


class Arm(NamedTuple):
    """One configuration of an experiment; `note` says what it changes and who chose it.

    >>> import undertow as ut
    >>> network = ut.NetworkSpec(inputs=2, outputs=1, depth=20, width=10, activation="tanh")
    >>> Arm("deep", network, ut.TrainingSpec(epochs=5), "20 hidden layers").network.depth
    20

    A placebo is trained from fresh seeds: what differs from the same arm is chance alone.
    """

    name: str
    network: NetworkSpec
    training: TrainingSpec
    note: str
    placebo: bool = False


class ClaimVerdict(NamedTuple):
    """`supported`, `contradicted`, `depends` or `not tested`, and the numbers that say so.

    >>> decide([True, False], "It trains under SGD, and not under Adam.")
    ClaimVerdict(verdict='depends', evidence='It trains under SGD, and not under Adam.')
    """

    verdict: str
    evidence: str


class Claim(NamedTuple):
    """A published sentence, the arms that decide it, and how.

    >>> claim = Claim(1, "ReLU trains.", needs=("relu",), judge=lambda arms: decide([True], ""))
    >>> judge(claim, {}).evidence
    'needs the arm relu, which was not run'
    """

    number: int
    text: str
    needs: tuple[str, ...]
    judge: Callable[[Arms], ClaimVerdict]


class Experiment(NamedTuple):
    """A study: arms that differ in one thing, on one data set, and the claims that they decide.

    >>> import undertow as ut
    >>> network = ut.NetworkSpec(inputs=2, outputs=1, depth=5, width=10, activation="tanh")
    >>> arm = ut.Arm("tanh", network, ut.TrainingSpec(epochs=5), "5 hidden layers")
    >>> own = Experiment("depth", "How deep?", "moons", (arm,), baseline="tanh", claims=())
    >>> own.arm("tanh").note
    '5 hidden layers'

    `undertow run NAME` trains a built-in one, `undertow run FILE.py:NAME` the one that a file of
    yours calls NAME, and sets its `origin` to that. `data` is the name of a data set.
    Of `train_samples`, where given, the rest is held out; every `every`-th step is recorded. Where
    it is `discussed`, `remedies/discussion.py` has a word on its arms.
    """

    name: str
    title: str
    data: str
    arms: tuple[Arm, ...]
    baseline: str
    claims: tuple[Claim, ...] = ()
    replicates: int = 20
    replicates_in_lanes: int | None = None
    every: int = 1
    train_samples: int | None = None
    discussed: bool = False
    origin: str = ""

    def arm(self, name: str) -> Arm:
        """Return an arm by its name."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise UnknownName(f"arm of {self.name}", name, [arm.name for arm in self.arms])


def judge(claim: Claim, arms: Arms) -> ClaimVerdict:
    """Decide a claim from the runs at hand, or say which are lacking."""
    lacking = [name for name in claim.needs if name not in arms]
    if lacking:
        arms_were = "arm {}, which was" if len(lacking) == 1 else "arms {}, which were"
        return ClaimVerdict(
            "not tested", f"needs the {arms_were.format(', '.join(lacking))} not run"
        )
    return claim.judge(arms)


def decide(holds: Sequence[bool | None], evidence: str) -> ClaimVerdict:
    """Turn what holds under each condition, None where that cannot be told, into a verdict.

    >>> [decide(holds, "").verdict for holds in ([True], [True, False], [False], [True, None])]
    ['supported', 'depends', 'contradicted', 'not tested']
    """
    if True in holds and False in holds:
        return ClaimVerdict("depends", evidence)
    if None in holds:
        return ClaimVerdict("not tested", f"{evidence} {TOO_FEW}")
    return ClaimVerdict("supported" if all(holds) else "contradicted", evidence)
