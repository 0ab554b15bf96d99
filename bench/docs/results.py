"""Write docs/results/ from runs: every number on those pages comes through here.

    undertow run mnist-depth --data DIR --store runs.db --json > depth.json
    python -m bench.docs.results depth.json --store runs.db > docs/results/mnist-depth.md

Several documents of one experiment make one page, a section each. Statistics and claims are
computed anew from the runs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import undertow as ut
from undertow.experiments import experiment
from undertow.experiments.fashion_remedies import PUBLISHED_ACCURACY
from undertow.numerals import duration
from undertow.studies import summary
from undertow.trace import readings

NEAR = 0.03  # how far from a published accuracy a median may lie and count as reproduced


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", nargs="+", type=Path, metavar="FILE.json")
    parser.add_argument("--store", required=True, metavar="FILE")
    arguments = parser.parse_args()
    documents = [json.loads(path.read_text()) for path in arguments.documents]
    name = documents[0]["experiment"]
    print(f"# Results of `{name}`\n")
    print(
        f"{experiment(name).title}. What is measured and how: [{name}](../experiments/{name}.md)."
    )
    with ut.open(arguments.store) as store:
        for document in documents:
            runs = {arm["name"]: (arm["run"], store.trace(arm["run"])) for arm in document["arms"]}
            document |= summary.document(experiment(name), runs)
            document["seconds"] = sum(store.run(arm["run"]).seconds for arm in document["arms"])
            traces = {arm: trace for arm, (_, trace) in runs.items()}
            print("\n" + "\n".join(section(document, traces)))


def section(document: dict[str, Any], traces: dict[str, ut.Trace]) -> list[str]:
    trace = next(iter(traces.values()))
    versions = ", ".join(f"{key} {what}" for key, what in trace.attributes["versions"].items())
    seeds = f"{document['seed']} to {document['seed'] + document['replicates'] - 1}"
    lines = [
        f"## {document['replicates']} networks an arm, {document['epochs']} epochs\n",
        f"Seeds {seeds}; {len(traces) * document['replicates']} networks, "
        f"{duration(document['seconds'])} of training, summed over the processes that shared two "
        f"cores, {trace.attributes['created'][:10]}; "
        f"{versions}.\n",
    ]
    if document["experiment"] == "fashion-remedies" and document["epochs"] == 100:
        lines += published(document)
    elif document["experiment"] == "mnist-depth":
        lines += slopes(document, traces)
    lines += accuracies(document)
    if "layer-wise" in traces:
        lines += stages(traces["layer-wise"])
    if any(row["p_value"] is not None for row in document["comparisons"]):
        lines += comparisons(document)
    return lines + claims(document)


def accuracies(document: dict[str, Any]) -> list[str]:
    head = "| arm | median | mean [95 %] | sd | IQM | stuck | total dex | \\|dE/dW1\\| at step 1 |"
    lines = ["### Test accuracy\n", head, "|---|---|---|---|---|---|---|---|"]
    for arm in document["arms"]:
        found = arm["test_accuracy"]
        lines.append(
            f"| `{arm['name']}` | {number(found['median'])} | {number(found['mean'])} "
            f"{interval(found['ci95'])} | {number(found['sd'])} | {number(found['iqm'])} | "
            f"{found['stuck']}/{len(found['values'])} | {number(arm['total_dex'], '+.2f')} | "
            f"{number(arm['layers'][0]['grad_norm']['first'], '.1e')} |"
        )
    return [*lines, ""]


def published(document: dict[str, Any]) -> list[str]:
    lines = [
        "### Beside the published numbers (one network each)\n",
        f"*Near* means that the median lies within {NEAR:g} of the published accuracy. "
        f"{document['replicates']} seeds"
        + (" support no test" * all(row["p_value"] is None for row in document["comparisons"]))
        + ".\n",
        "| arm | published | here, each network | median | near |",
        "|---|---|---|---|---|",
    ]
    for arm in document["arms"]:
        if arm["name"] not in PUBLISHED_ACCURACY:
            continue
        values, theirs = arm["test_accuracy"]["values"], PUBLISHED_ACCURACY[arm["name"]]
        middle = arm["test_accuracy"]["median"]
        near = "yes" if middle is not None and abs(middle - theirs) <= NEAR else "no"
        lines.append(
            f"| `{arm['name']}` | {theirs:.4f} | {', '.join(map(number, values))} | "
            f"{number(middle)} | {near} |"
        )
    return [*lines, ""]


def stages(trace: ut.Trace) -> list[str]:
    ends = readings.stage_ends(trace, "test_accuracy")
    medians = " → ".join(number(float(np.median(end))) for end in ends)
    return [f"`layer-wise`, median at the ends of its stages: {medians}.\n"]


def slopes(document: dict[str, Any], traces: dict[str, ut.Trace]) -> list[str]:
    lines = [
        "### Slope of log10 |delta| at step 1\n",
        "Median over networks, and the range of their middle 90 %.\n",
        "| arm | total dex | dex a layer | stuck |",
        "|---|---|---|---|",
    ]
    for arm in document["arms"]:
        trace = traces[arm["name"]]
        totals, crossed = readings.total_dex(trace), readings.transitions(trace)
        low, high = np.quantile(totals, [0.05, 0.95])
        lines.append(
            f"| `{arm['name']}` | {np.median(totals):+.2f} ({low:+.2f} to {high:+.2f}) | "
            f"{np.median(totals) / crossed:+.3f} | "
            f"{arm['test_accuracy']['stuck']}/{len(totals)} |"
        )
    return [*lines, ""]


def comparisons(document: dict[str, Any]) -> list[str]:
    baseline = document["comparisons"][0]["baseline"]
    lines = [
        f"### Against `{baseline}`\n",
        "| arm | difference [95 %] | p, exact | p, Holm | P(better) |",
        "|---|---|---|---|---|",
    ]
    for row in document["comparisons"]:
        lines.append(
            f"| `{row['arm']}` | {number(row['difference'], '+.4f')} "
            f"{interval(row['ci95'], '+.4f')} | {number(row['p_value'], '.4f')} | "
            f"{number(row['p_holm'], '.4f')} | "
            f"{number(row['probability_of_improvement'], '.2f')} |"
        )
    notes = dict.fromkeys(row["note"] for row in document["comparisons"] if row["note"])
    return [*lines, "", *(f"{note}.\n" for note in notes)]


def claims(document: dict[str, Any]) -> list[str]:
    tested = [claim for claim in document["claims"] if claim["verdict"] != "not tested"]
    if not tested:
        return []
    return [
        "### Claims\n",
        *(f"- “{each['claim']}” **{each['verdict']}**. {each['evidence']}" for each in tested),
        "",
    ]


def number(value: float | None, form: str = ".4f") -> str:
    return "–" if value is None else format(value, form)


def interval(ends: list[float] | None, form: str = ".4f") -> str:
    return f"[{ends[0]:{form}}, {ends[1]:{form}}]" if ends else ""


if __name__ == "__main__":
    main()
