import marimo

__generated_with = "0.25.2"
app = marimo.App(
    width="medium", app_title="Undertow, lesson 3: initialisation and the edge of chaos"
)


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from support import checks, figures, parts, trials
    from undertow.experiments.presets import preset
    from undertow.theory.signal.maps import fixed_point

    return checks, figures, fixed_point, mo, parts, preset, trials


@app.cell(hide_code=True)
def _(mo, parts):
    parts.head(mo, 3, "Afterwards you know the one number that decides, and how to find it.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Draw weights of variance $s/\text{fan-in}$, biases of variance $\sigma_b^2$. From layer to layer
    the pre-activations settle at a variance $q^*$, and from there on every layer multiplies the
    squared gradient by one number:

    $$q^* = s\,\mathbb{E}\,\varphi(\sqrt{q^*}\,x)^2 + \sigma_b^2, \qquad
    \chi = s\,\mathbb{E}\,\varphi'(\sqrt{q^*}\,x)^2 , \qquad x \sim N(0, 1).$$

    $\chi < 1$: it vanishes. $\chi > 1$: it explodes. $\chi = 1$ is the **edge of chaos**
    ([Poole et al. 2016](https://doi.org/10.48550/arXiv.1606.05340)). Here: fifty tanh layers of 32
    units, $\sigma_b^2 = .05$.
    """)
    return


@app.cell(hide_code=True)
def _(mo, parts):
    guess = parts.forecast(
        mo,
        "**Forecast:** Xavier's weights, $s = 1$. How many decades are lost over the fifty layers?",
        0,
        20,
        0.1,
    )
    mo.vstack([guess])
    return (guess,)


@app.cell(hide_code=True)
def _(mo):
    variance = mo.ui.slider(0.6, 4, 0.05, 1, show_value=True, label="weight variance s")
    return (variance,)


@app.cell(hide_code=True)
def _(guess, mo, parts, variance):
    guessed = parts.guessed(mo, guess, 1.0)
    mo.stop(guessed is None, parts.waiting(mo))
    mo.vstack([variance])
    return (guessed,)


@app.cell(hide_code=True)
def _(figures, fixed_point, guessed, mo, parts, trials, variance):
    found = trials.measured(trials.edge(variance.value))
    chi = fixed_point("tanh", variance.value, 0.05).gain
    title = (
        f"s = {variance.value:g}: χ = {chi:.3f}; over 49 crossings {found.total:+.1f} dex "
        f"measured, {found.theory:+.1f} in theory"
    )
    parts.figure(mo, figures.profile(found, title, guess=-guessed, domain=(-8, 5)))
    return chi, found


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **A half-truth: “Xavier for tanh, He for ReLU, full stop.”** Xavier's $s = 1$ is critical for
    tanh only where biases are 0, and even there ten layers of ten lose .8 decades in the median,
    with He's weights .4. He's $s = 2$ is critical for ReLU, again without biases. The rule behind
    both is $\chi = 1$: for tanh a whole line of pairs $(s, \sigma_b^2)$, for GELU one that is
    stable only at large $q^*$, for some activations none.
    """)
    return


@app.cell(hide_code=True)
def _(checks, mo):
    exercise = (
        mo.md(
            "**Exercise.** At which $s$ is the profile of tanh level, with $\\sigma_b^2 = .05$?\n\n"
            "{s}\n\nAnd for which of these does no critical $s$ exist at all?\n\n{bonus}"
        )
        .batch(
            s=mo.ui.number(0, 10, 0.001, label="s"),
            bonus=mo.ui.dropdown(checks.ACTIVATIONS, label="none for"),
        )
        .form(submit_button_label="Check", bordered=False)
    )
    mo.vstack([exercise])
    return (exercise,)


@app.cell(hide_code=True)
def _(checks, chi, exercise, found, mo, parts):
    given = parts.answered(mo, exercise, lambda: {"s": checks.edge_of_chaos(), "bonus": "softplus"})
    verdicts = given and [
        checks.lesson_3(given["s"]),
        checks.lesson_3_bonus(given["bonus"]) if given["bonus"] else None,
    ]
    parts.end(mo, 3, [f"s = 1: chi {chi:.3f}, {found.total:+.2f} dex measured"], verdicts)
    parts.verdict(mo, *verdicts or [])
    return


@app.cell(hide_code=True)
def _(mo, parts, preset):
    starts, edge = preset("three starts"), preset("edge of chaos")
    parts.links(mo, [(starts.name, starts.trial), (edge.name, edge.trial), *edge.twists])
    return


if __name__ == "__main__":
    app.run()
