"""What is said of a study beyond its numbers: carried by the header of every run of it.

So a run can be reported by whoever has the store, also where the experiment's own code is not at
hand. A claim's verdict takes a function, which no header holds: what was judged when the study was
trained is kept beside it, and stands for as long as the runs are those that it was judged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from undertow.studies.experiment import Arms, Claim, ClaimVerdict, Experiment, judge
from undertow.trace.record import Trace

STUDY, JUDGED = "study", "judged"  # attributes of a run
NOT_JUDGED = ClaimVerdict("not tested", "not judged here: the experiment's own code is needed")

Runs = Mapping[str, tuple[str, Trace]]  # {arm: (run, trace)}


class Description(NamedTuple):
    """A study in words; `arms` has each arm's note, `claims` what decides them.

    >>> found = Description("depth", "How deep?", "shallow", {"shallow": "2 hidden layers"}, ())
    >>> found.baseline, found.origin
    ('shallow', '')

    `origin` is how `undertow run` was told of it, FILE.py:NAME; empty for a built-in experiment.
    """

    name: str
    title: str
    baseline: str
    arms: Mapping[str, str]
    claims: tuple[Claim, ...]
    discussed: bool = False
    origin: str = ""


def describe(experiment: Experiment) -> Description:
    """Return what is said of an experiment that is at hand.

    >>> from undertow.experiments import experiment
    >>> found = describe(experiment("moons"))
    >>> found.baseline, found.arms["tanh"]
    ('sigmoid', 'tanh in place of sigmoid')
    """
    return Description(
        experiment.name,
        experiment.title,
        experiment.baseline,
        {arm.name: arm.note for arm in experiment.arms},
        experiment.claims,
        experiment.discussed,
        experiment.origin,
    )


def carried(experiment: Experiment) -> dict[str, Any]:
    """Return what the headers of an experiment's runs carry of it, as JSON can hold it."""
    found = describe(experiment)
    claims = [
        {"number": claim.number, "text": claim.text, "needs": list(claim.needs)}
        for claim in found.claims
    ]
    return {**found._asdict(), "claims": claims}


def read_description(runs: Runs) -> Description | None:
    """Return what the newest of a study's runs carries of it; None of runs that carry nothing.

    >>> from undertow.experiments import experiment
    >>> from undertow.trace.record import Header, Layer, build
    >>> known = {"source": "trained", "created": "2026-01-01", STUDY: carried(experiment("moons"))}
    >>> header = Header((Layer("output", 1, "linear", "linear", 2, 1),), (0,), known)
    >>> read_description({"relu": ("moons-relu", build(header, []))}).baseline
    'sigmoid'

    Its claims are judged as they were when the study was trained.
    """
    known = [trace.attributes for _, trace in runs.values() if STUDY in trace.attributes]
    if not known:
        return None
    found = max(known, key=lambda attributes: attributes["created"])[STUDY]
    claims = (
        Claim(each["number"], each["text"], tuple(each["needs"]), _as_kept(each, runs))
        for each in found["claims"]
    )
    return Description(**{**found, "claims": tuple(claims)})


def verdicts(description: Description, runs: Runs) -> dict[str, list[dict[str, Any]]]:
    """Judge every claim; return what each run is to keep of it, by the run's id.

    >>> from undertow.trace.record import Header, Layer, build
    >>> claim = Claim(1, "It trains.", ("relu",), lambda arms: ClaimVerdict("supported", "it did"))
    >>> found = Description("depth", "How deep?", "relu", {"relu": "3 hidden layers"}, (claim,))
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> trace = build(Header((layer,), (0,), {"source": "trained"}), [])
    >>> (kept,) = verdicts(found, {"relu": ("depth-relu", trace)})["depth-relu"]
    >>> kept["verdict"], kept["runs"]
    ('supported', ['depth-relu'])

    A verdict is kept with the runs that it was judged by.
    """
    traces = {arm: trace for arm, (_, trace) in runs.items()}
    found: dict[str, list[dict[str, Any]]] = {run: [] for run, _ in runs.values()}
    for claim in description.claims:
        deciding = _deciding(claim.needs, runs)
        if deciding is None:
            continue
        kept = {"number": claim.number, "text": claim.text, "runs": deciding}
        kept |= judge(claim, traces)._asdict()
        for run in deciding:
            found[run].append(kept)
    return found


def _as_kept(claim: Mapping[str, Any], runs: Runs) -> Any:
    """Return what judges a claim by looking up what was judged."""
    deciding = _deciding(claim["needs"], runs)

    def judged(_: Arms) -> ClaimVerdict:
        for run, trace in runs.values():
            for kept in trace.attributes.get(JUDGED, ()) if run in (deciding or ()) else ():
                alike = all(kept[part] == claim[part] for part in ("number", "text"))
                if alike and kept["runs"] == deciding:
                    return ClaimVerdict(kept["verdict"], kept["evidence"])
        return NOT_JUDGED

    return judged


def _deciding(needs: Sequence[str], runs: Runs) -> list[str] | None:
    """Return the ids of the runs that decide a claim, sorted; None where one lacks."""
    arms = list(needs) or list(runs)
    return sorted(runs[arm][0] for arm in arms) if all(arm in runs for arm in arms) else None
