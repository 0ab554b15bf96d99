import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Undertow, lesson 2: depth and the product of gains")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from support import checks, figures, parts, trials
    from undertow.experiments.presets import preset

    return checks, figures, mo, parts, preset, trials


@app.cell(hide_code=True)
def _(mo, parts):
    parts.head(mo, 2, "Afterwards you can say when decades add up with depth, and when not.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    On its way back the gradient is multiplied by a **gain** a layer. A product is a sum of
    logarithms:

    $$\log_{10}\frac{|\delta_1|}{|\delta_L|} = \sum_{l=1}^{L-1} \tfrac12\log_{10}\chi_l, \qquad
    \chi_l = \sigma_w^2\,\mathbb{E}\,\varphi'(z_l)^2 .$$

    Equal gains make a straight line on a logarithmic axis. On MNIST five sigmoid layers lost 2.5
    decades and twenty 12.0: .63 a layer in both, medians of 10 networks.
    """)
    return


@app.cell(hide_code=True)
def _(mo, parts):
    guess = parts.forecast(
        mo,
        "**Forecast:** ten **tanh** layers with Glorot's weights lose .55 decades. How many do "
        "fifty lose?",
        0,
        10,
        0.05,
    )
    mo.vstack([guess])
    return (guess,)


@app.cell(hide_code=True)
def _(mo):
    depth = mo.ui.slider(5, 50, 5, 10, show_value=True, label="layers")
    activation = mo.ui.radio(["tanh", "sigmoid", "relu"], "tanh", inline=True, label="activation")
    return activation, depth


@app.cell(hide_code=True)
def _(activation, depth, guess, mo, parts):
    guessed = parts.guessed(mo, guess, 2.9)
    mo.stop(guessed is None, parts.waiting(mo))
    mo.hstack([depth, activation], justify="start", gap=2, wrap=True)
    return (guessed,)


@app.cell(hide_code=True)
def _(activation, checks, depth, figures, guessed, mo, parts, trials):
    found = trials.measured(trials.square(activation.value, depth.value), gaussian=True)
    theory = [checks.stack_dex(activation.value, layers) for layers in range(1, 51)]
    mine = guessed if activation.value == "tanh" else None
    parts.figure(mo, figures.depth_curve(found, activation.value, theory, mine))
    return found, theory


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **A half-truth: “twice the depth, twice the loss.”** True where every layer has the same gain:
    sigmoid settles at $\chi = .056$, ReLU under Glorot's weights at ½. Under these weights tanh
    shrinks what it passes on, $q_l \approx 1/2l$, gets ever more linear, and its gain goes to 1:
    $\chi_l \approx 1 - 1/l$. The product is a power of depth, $|\delta_1|/|\delta_L| \sim
    L^{-1/2}$, and no exponential
    ([Schoenholz et al. 2017](https://doi.org/10.48550/arXiv.1611.01232)).
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    exercise = (
        mo.md(
            "**Exercise.** In theory fifty tanh layers, 49 crossings, lose .917 decades. How many "
            "**more** do the next fifty cost?\n\n{more}"
        )
        .batch(more=mo.ui.number(0, 5, 0.001, label="decades more"))
        .form(submit_button_label="Check", bordered=False)
    )
    mo.vstack([exercise])
    return (exercise,)


@app.cell(hide_code=True)
def _(checks, exercise, found, mo, parts, theory):
    given = parts.answered(
        mo, exercise, lambda: {"more": checks.tanh_dex(50) - checks.tanh_dex(100)}
    )
    verdicts = given and [checks.lesson_2(given["more"])]
    parts.end(
        mo,
        2,
        [f"ten tanh layers: {found.total:+.2f} dex measured, {theory[9]:+.2f} in theory"],
        verdicts,
    )
    parts.verdict(mo, *verdicts or [])
    return


@app.cell(hide_code=True)
def _(mo, parts, preset, trials):
    silence = preset("silence")
    parts.links(
        mo,
        [
            (silence.name, silence.trial),
            ("fifty tanh layers", trials.plane("tanh", 50)),
            ("fifty sigmoid layers", trials.plane("sigmoid", 50)),
        ],
    )
    return


if __name__ == "__main__":
    app.run()
