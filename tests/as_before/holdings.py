"""What a store, and an exported file, hold: every array, event and attribute as a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xarray

import undertow as ut
from tests.as_before.differing import array, digest
from undertow.trace.record import Trace
from undertow.trace.schema import OLD_NAMES
from undertow.trace.store.reader import Run
from undertow.trace.store.tail import course, last_step, latest, newest, state

NAMED_BEFORE = {now: before for before, now in OLD_NAMES.items()} | {"factor": "crossing"}

# What is of the day a run was made on, and not of the run: not compared with a new training.
OF_THE_DAY = ("created", "seconds", "versions", "overhead")
# What runs carry since the fixtures were made: new beside what was there, which is compared.
SINCE = ("study", "edges", "notes")


def store(path: Path) -> dict[str, Any]:
    """Describe a store: its runs as they are listed, and each as it is read, whole and its end."""
    with ut.open(path) as opened:
        runs = opened.runs()
        traces = {each.id: opened.trace(each.id) for each in runs}
        ends = {
            each.id: {
                "state": state(opened, each.id),
                "step": last_step(opened, each.id),
                "latest": of(lasting(dataset(latest(opened, each.id, steps=3).dataset))),
                "course": array(course(opened, each.id).values),
            }
            for each in runs
        }
        return {
            "newest": newest(opened).id,
            "runs": listed(runs),
            "traces": {run: trace(found) for run, found in traces.items()},
            "ends": ends,
            "meanings": {
                name: words
                for found in traces.values()
                for name, words in meanings(found.dataset).items()
            },
        }


def listed(runs: list[Run]) -> list[dict[str, Any]]:
    """Describe the runs of a store; of attributes those that the run before does not share."""
    found, last = [], {}
    for each in runs:
        other = {
            name: each.attributes.get(name, "not there")
            for name in dict.fromkeys([*last, *each.attributes])
            if name not in last or last[name] != each.attributes.get(name)
        }
        found.append(each._asdict() | {"attributes": other})
        last = each.attributes
    return found


def before(name: str) -> str:
    """Return what an artefact or a dim was called when the fixtures were made."""
    return NAMED_BEFORE.get(name, name)


def trace(found: Trace) -> dict[str, Any]:
    """Describe a trace; of its attributes, which are those of its run, a digest stands here."""
    return {
        "source": found.source,
        **dataset(found.dataset),
        "artefacts": {before(name): array(of) for name, of in sorted(found.artefacts.items())},
        "events": [event._asdict() for event in found.events],
        "attributes": of(lasting(found.attributes)),
    }


def dataset(found: xarray.Dataset) -> dict[str, Any]:
    """Describe the arrays of a data set, with their dims."""
    return {
        "variables": {before(name): _variable(found[name]) for name in sorted(map(str, found))},
        "coordinates": {name: _variable(found[name]) for name in sorted(map(str, found.coords))},
    }


def netcdf(path: Path) -> dict[str, Any]:
    """Describe an exported NetCDF file."""
    with xarray.open_dataset(path, engine="scipy") as opened:
        found = opened.load()
    attributes = {
        name: value if isinstance(value, str) else getattr(value, "item", lambda v=value: v)()
        for name, value in found.attrs.items()
    }
    return {**dataset(found), "attributes": attributes, "meanings": meanings(found)}


def lasting(document: Any) -> Any:
    """Leave out what is of the day, or new since: what remains a new training has to give again."""
    if isinstance(document, dict):
        left_out = OF_THE_DAY + SINCE
        return {name: lasting(part) for name, part in document.items() if name not in left_out}
    return [lasting(part) for part in document] if isinstance(document, list) else document


def of(document: Any) -> str:
    """Return the digest of a document that needs not be read."""
    return digest(json.dumps(document).encode())


def meanings(found: xarray.Dataset) -> dict[str, str]:
    """Return what each variable means, and in which unit."""
    return {
        name: f"{found[name].attrs.get('long_name')} [{found[name].attrs.get('units')}]"
        for name in sorted(map(str, found))
        if before(name) not in OLD_NAMES  # whose meaning is said in other words now
    }


def _variable(found: xarray.DataArray) -> dict[str, Any]:
    return {"dims": " ".join(before(str(dim)) for dim in found.dims), **array(found.values)}
