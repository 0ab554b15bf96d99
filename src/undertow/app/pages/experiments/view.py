"""What is seen of a study: how to train it, how far it is, and what it shows so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from undertow.app.pages.experiments.progress import ArmNow
from undertow.app.pages.experiments.url import PlannedStudy
from undertow.app.pages.kit import widgets
from undertow.numerals import NOT_DEFINED, number
from undertow.show import summary_text

HEADINGS = ("arm", "state", "trained", "test accuracy", "95 %", "stuck", "|dE/dW1|", "total dex")


def study_view(
    mo: Any,
    plan: PlannedStudy,
    typed: str,
    arms: Sequence[ArmNow],
    said: str,
    shown: Mapping[str, Any],
) -> Any:
    """Return what is seen; `shown` is the document of the arms that are whole, empty if none is."""
    whole = [arm for arm in arms if arm.state == "finished"]
    head = mo.Html(
        f'<p class="ut-lead">{escape(plan.experiment.title)}. '
        f"{len(plan.runs)} arms x {len(plan.runs[0].seeds)} networks, "
        f"{plan.runs[0].arm.training.epochs} epochs.</p>"
        f'<p>The same in a terminal: <code class="ut-typed">{escape(typed)}</code></p>'
        + (f'<p class="ut-state" role="status">{escape(said)}</p>' if said else "")
    )
    below = []
    if whole:
        link = widgets.report_link([arm.run for arm in whole])
        below.append(
            mo.Html(
                f'<p><a class="ut-link" href="{escape(link)}" target="_blank">Open the report</a> '
                f"of {len(whole)} of {len(arms)} arms: one page, offline, with every figure.</p>"
                f"<p>{escape(summary_text.paragraph(shown))}</p>"
            )
        )
        below += _claims(mo, shown["claims"])
    return mo.Html(
        '<div class="ut-study">'
        f"{mo.vstack([head, _table(mo, arms, shown), *below], gap=0.75).text}</div>"
    )


def _table(mo: Any, arms: Sequence[ArmNow], shown: Mapping[str, Any]) -> Any:
    found = {arm["name"]: arm for arm in shown.get("arms", ())}
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEADINGS)
    body = "".join(_row(arm, found.get(arm.arm)) for arm in arms)
    caption = (
        "What the store has of it. Accuracies are means over the networks, |dE/dW1| and total dex "
        "medians at step 1; stuck is no better than one class for all."
    )
    return mo.Html(
        f'<div class="ut-scroll" tabindex="0" role="region" aria-label="Arms"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def _row(arm: ArmNow, summary: Mapping[str, Any] | None) -> str:
    name = escape(arm.arm)
    if arm.run:
        link = escape("../runs/?" + urlencode({"run": arm.run}))
        name = f'<a class="ut-link" href="{link}">{name}</a>'
    share = f"{100 * arm.share:.0f} %"
    bar = (
        f'<progress max="1" value="{arm.share:.3f}" aria-label="{escape(arm.arm)} trained">{share}'
        f"</progress> {share}"
    )
    cells = [escape(arm.state), bar, *map(escape, _numbers(summary))]
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _numbers(summary: Mapping[str, Any] | None) -> list[str]:
    if summary is None:
        return [NOT_DEFINED] * 5
    accuracy = summary["test_accuracy"]
    interval = accuracy["ci95"]
    return [
        number(accuracy["mean"], ".3f"),
        f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else NOT_DEFINED,
        f"{accuracy['stuck']} of {len(accuracy['values'])}",
        number(summary["layers"][0]["grad_norm"]["first"], ".0e"),
        number(summary["total_dex"], "+.1f"),
    ]


def _claims(mo: Any, claims: Sequence[Mapping[str, Any]]) -> list[Any]:
    tested = [claim for claim in claims if claim["verdict"] != "not tested"]
    left = len(claims) - len(tested)
    shown = []
    if tested:
        shown.append(
            widgets.table(
                mo,
                "Published claims, judged by these runs",
                ("verdict", "claim", "evidence"),
                ((claim["verdict"], claim["claim"], claim["evidence"]) for claim in tested),
            )
        )
    if left:
        what = "claim waits" if left == 1 else "claims wait"
        shown.append(mo.Html(f'<p class="ut-quiet">{left} published {what} for more arms.</p>'))
    return shown
