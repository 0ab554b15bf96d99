import marimo

__generated_with = "0.25.2"
app = marimo.App(
    width="medium", app_title="Undertow, lesson 5: batch normalisation, cure and cause"
)


@app.cell(hide_code=True)
def _():
    import math

    import marimo as mo

    from support import checks, figures, parts, trials
    from undertow.experiments.presets import preset
    from undertow.remedies.on_trial import apply_to_trial
    from undertow.theory.signal.norm_gains import batch_norm_gain

    return batch_norm_gain, checks, figures, math, mo, parts, preset, apply_to_trial, trials


@app.cell(hide_code=True)
def _(mo, parts):
    parts.head(mo, 5, "Afterwards you can say what it cures, and what it causes.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Batch normalisation takes the mean off each unit and divides by its standard deviation. With it,
    without skips and in large batches, every layer multiplies the squared gradient by

    $$\chi = \frac{\mathbb{E}\,\varphi'(x)^2}{\operatorname{Var}\varphi(x)} \ge 1, \qquad
    \text{ReLU: } \frac{\pi}{\pi - 1} = 1.467 = 1.211^2, \qquad \text{sigmoid: } 1.034 .$$

    Without it sigmoid has $\chi = .056$: it is the *mean* of a sigmoid, ½ for every input, that the
    division gets rid of. But no activation and no initialisation brings $\chi$ below 1
    ([Yang et al. 2019](https://doi.org/10.48550/arXiv.1902.08129)).
    """)
    return


@app.cell(hide_code=True)
def _(mo, parts):
    guess = parts.forecast(
        mo,
        "**Forecast:** twenty ReLU layers with batch normalisation. How many decades does delta "
        "gain (+) or lose (-) from layer 20 to layer 1?",
        -12,
        12,
        0.1,
    )
    mo.vstack([guess])
    return (guess,)


@app.cell(hide_code=True)
def _(mo, trials):
    batch = mo.ui.slider(steps=[4, 8, 16, 32, 64], value=32, show_value=True, label="batch size")
    network = mo.ui.radio(
        [*trials.NORMED], next(iter(trials.NORMED)), inline=True, label="layers of"
    )
    return batch, network


@app.cell(hide_code=True)
def _(batch, guess, mo, network, parts):
    guessed = parts.guessed(mo, guess, -1.0)
    mo.stop(guessed is None, parts.waiting(mo))
    mo.hstack([batch, network], justify="start", gap=2, wrap=True)
    return (guessed,)


@app.cell(hide_code=True)
def _(batch, batch_norm_gain, figures, guessed, math, mo, network, parts, trials):
    trial = trials.normed(network.value, batch.value)
    found = trials.measured(trial, gaussian=True)
    is_normed = trial.network.normalisation == "batch"
    slope = 0.5 * math.log10(batch_norm_gain(trial.network.activation)) if is_normed else None
    title = (
        f"Twenty layers of {trials.said(network.value)}, batches of {batch.value}: "
        f"{found.total:+.1f} dex measured, {found.theory:+.1f} in theory"
    )
    parts.figure(
        mo,
        figures.profile(
            found,
            title,
            guess=guessed if network.value == next(iter(trials.NORMED)) else None,
            line=slope and (f"× {10**slope:.3f} a layer", slope),
        ),
    )
    return (found,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **A half-truth: “batch normalisation prevents exploding gradients.”** It undoes the scale of the
    *weights*, so that no initialisation explodes; and it multiplies the gradient once a layer by
    itself, the more, the smaller the batch. Skips make a power of depth of it, which is why deep
    networks have both.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    exercise = (
        mo.md(
            "**Exercise.** Large batches, batch-normalised ReLU layers: after how many layers is "
            "the gradient 1,000 times larger?\n\n{layers}\n\nAnd with batches of 4, for which wide "
            "networks give χ = 3.12?\n\n{bonus}"
        )
        .batch(
            layers=mo.ui.number(0, 2000, 1, label="layers"),
            bonus=mo.ui.number(0, 2000, 1, label="layers at batch 4"),
        )
        .form(submit_button_label="Check", bordered=False)
    )
    mo.vstack([exercise])
    return (exercise,)


@app.cell(hide_code=True)
def _(checks, exercise, found, mo, parts):
    given = parts.answered(mo, exercise, lambda: {"layers": 37, "bonus": 13})
    verdicts = given and [
        checks.lesson_5(given["layers"]),
        checks.lesson_5_bonus(given["bonus"]) if given["bonus"] else None,
    ]
    parts.end(
        mo, 5, [f"twenty layers: {found.total:+.2f} dex, theory {found.theory:+.2f}"], verdicts
    )
    parts.verdict(mo, *verdicts or [])
    return


@app.cell(hide_code=True)
def _(mo, parts, preset, apply_to_trial):
    silence, normal = preset("silence"), preset("too normal")
    parts.links(
        mo,
        [
            (silence.name, silence.trial),
            ("with batch normalisation", apply_to_trial("batch-norm", silence.trial)),
            (normal.name, normal.trial),
            *normal.twists,
        ],
    )
    return


if __name__ == "__main__":
    app.run()
