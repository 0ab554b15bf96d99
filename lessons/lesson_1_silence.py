import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Undertow, lesson 1: why sigmoid stacks go silent")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from support import checks, figures, parts, trials
    from undertow.experiments.presets import preset

    return checks, figures, mo, parts, preset, trials


@app.cell(hide_code=True)
def _(mo, parts):
    parts.head(mo, 1, "Afterwards you can say where the decades go.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Ten layers of ten sigmoid units learn to tell two moons apart, and nothing is learned. The
    gradient begins at the loss and goes back, from layer to layer:

    $$\begin{aligned}
    \delta_l &= \varphi'(z_l)\,\odot\, W_{l+1}^{\top}\,\delta_{l+1} \\
    \varphi'(z) &= \sigma(z)\,(1-\sigma(z)) \le \tfrac14
    \end{aligned}$$

    $\delta_l$, delta, is the gradient that arrives at layer $l$'s output, before its activation.
    A **decade** (dex) is a factor of ten.
    """)
    return


@app.cell(hide_code=True)
def _(mo, parts):
    guess = parts.forecast(
        mo, "**Forecast:** how many decades are lost from layer 10 to layer 1?", 0, 20, 0.1
    )
    mo.vstack([guess])
    return (guess,)


@app.cell(hide_code=True)
def _(mo):
    depth = mo.ui.slider(2, 15, 1, 10, show_value=True, label="layers")
    gain = mo.ui.slider(1, 5, 0.5, 1, show_value=True, label="weights times")
    return depth, gain


@app.cell(hide_code=True)
def _(depth, gain, guess, mo, parts):
    guessed = parts.guessed(mo, guess, 3.0)
    mo.stop(guessed is None, parts.waiting(mo))
    mo.hstack([depth, gain], justify="start", gap=2, wrap=True)
    return (guessed,)


@app.cell(hide_code=True)
def _(depth, figures, gain, guessed, mo, parts, trials):
    found = trials.measured(trials.stack(depth.value, gain.value))
    parts.figure(mo, figures.waterfall(found, depth.value, guessed))
    return (found,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **A half-truth: “it is just $0.25^n$.”** The ceiling is the largest term, but not the only one:
    slopes stay below their largest (*saturation*), and the gradient does not point where the
    weights are strong (*alignment*). And $W$ is in the product too: move *weights times* to 4. The
    ceiling has not moved, and yet the total is another: larger weights pay it back, until they
    drive the units into their flat ends.
    """)
    return


@app.cell(hide_code=True)
def _(checks, mo):
    terms = [term.replace("_", " ") for term in checks.TERMS]
    exercise = (
        mo.md(
            "**Exercise.** What is the largest term of the budget from layer 10 to layer 1 "
            "(weights times 1), and how many decades does it cost?\n\n{term} {size}\n\n"
            "And which term is 0 when every sigmoid is replaced by tanh?\n\n{bonus}"
        )
        .batch(
            term=mo.ui.dropdown(terms, label="largest term"),
            size=mo.ui.number(0, 20, 0.01, label="decades"),
            bonus=mo.ui.dropdown(terms, label="0 for tanh"),
        )
        .form(submit_button_label="Check", bordered=False)
    )
    mo.vstack([exercise])
    return (exercise,)


@app.cell(hide_code=True)
def _(checks, exercise, found, mo, parts):
    given = parts.answered(
        mo, exercise, lambda: {"term": "ceiling", "size": checks.CEILING, "bonus": "ceiling"}
    )
    verdicts = given and [
        checks.lesson_1(given["term"], given["size"]),
        checks.lesson_1_bonus(given["bonus"]) if given["bonus"] else None,
    ]
    parts.end(mo, 1, [f"measured {found.total:+.2f} dex, theory {found.theory:+.2f}"], verdicts)
    parts.verdict(mo, *verdicts or [])
    return


@app.cell(hide_code=True)
def _(mo, parts, preset):
    silence = preset("silence")
    parts.links(mo, [(silence.name, silence.trial), *silence.twists])
    return


if __name__ == "__main__":
    app.run()
