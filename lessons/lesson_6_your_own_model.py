import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Undertow, lesson 6: reading your own model")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from support import checks, parts, trials
    from support import panels as figures
    from support import sealed_models as sealed
    from undertow.experiments.presets import preset

    return checks, figures, mo, parts, preset, sealed, trials


@app.cell(hide_code=True)
def _(mo, parts):
    parts.head(mo, 6, "Afterwards you probe, read, decide, in that order.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ```python
    trace = ut.probe(model, loss_fn, batch)         # one pass, nothing changed
    with ut.watch(model, optimizer) as w:           # or a training: your loop, unchanged
        ...
    ut.diagnose(w.trace())                          # one cause, its layer, what helps
    ```

    Read a **ratio** for *where*, a **level** for *how much*, and the step over the weight for
    *whether it matters*:

    $$\frac{|\delta_l|}{|\delta_L|}, \qquad \Bigl|\frac{\partial E}{\partial W_l}\Bigr|, \qquad
    \frac{|\Delta W_l|}{|W_l|} = \frac{\eta\,|\partial E/\partial W_l|}{|W_l|}\ \text{(SGD)}.$$
    """)
    return


@app.cell(hide_code=True)
def _(mo, parts):
    guess = parts.forecast(
        mo,
        "**Forecast:** a healthy network under SGD: how large is a step over the weight it "
        "changes? log10; -1 is a tenth.",
        -6,
        2,
        0.1,
    )
    mo.vstack([guess])
    return (guess,)


@app.cell(hide_code=True)
def _(mo, sealed):
    step = mo.ui.slider(1, sealed.STEPS, 1, 1, show_value=True, label="step")
    model = mo.ui.radio(
        {"healthy": sealed.HEALTHY, "A": "A", "B": "B", "C": "C"},
        "healthy",
        inline=True,
        label="sealed model",
    )
    return model, step


@app.cell(hide_code=True)
def _(guess, mo, model, parts, step):
    guessed = parts.guessed(mo, guess, -3.0)
    mo.stop(guessed is None, parts.waiting(mo))
    mo.hstack([step, model], justify="start", gap=2, wrap=True)
    return (guessed,)


@app.cell(hide_code=True)
def _(figures, guessed, mo, model, parts, sealed, step, trials):
    healthy = sealed.watched(sealed.HEALTHY)
    shown = figures.readings_of(
        sealed.watched(model.value),
        healthy,
        trials.healthy_theory(sealed.DEPTH, sealed.WIDTH, sealed.BATCH),
        step.value,
        guessed,
        "The healthy network" if model.value == sealed.HEALTHY else f"Model {model.value}",
    )
    parts.figure(mo, shown, fit=False)
    return (shown,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **A half-truth: “a gradient norm of 10 is too big.”** Multiply the loss by 100, or choose inputs
    in other units, and the same network has another norm. A norm has a unit; what a step does to a
    weight has none. And under Adam not even that shows a gradient: Adam moves the weights of a
    stuck network as far as those of one that learns.
    """)
    return


@app.cell(hide_code=True)
def _(checks, mo, sealed):
    layers = [*sealed.LAYERS, checks.EVERY_LAYER]
    causes = {f"{code} {title}": code for code, title in checks.CODES.items()}
    exercise = (
        mo.md(
            "**Exercise.** Three models with one fault each: at which layer, and what is the "
            "cause?\n\n**A** {A_layer} {A_cause}\n\n**B** {B_layer} {B_cause}\n\n"
            "**C** {C_layer} {C_cause}"
        )
        .batch(
            **{
                f"{name}_{what}": mo.ui.dropdown(options, label=what)
                for name in checks.DIGESTS
                for what, options in (("layer", layers), ("cause", causes))
            }
        )
        .form(submit_button_label="Check", bordered=False)
    )
    mo.vstack([exercise])
    return (exercise,)


@app.cell(hide_code=True)
def _(checks, exercise, mo, parts, sealed, shown):
    given = parts.answered(mo, exercise, lambda: sealed.diagnosed(checks.EVERY_LAYER))
    verdicts = given and [
        checks.lesson_6(name, given[f"{name}_layer"], given[f"{name}_cause"])
        for name in checks.DIGESTS
    ]
    parts.end(mo, 6, [shown.title], verdicts)
    parts.verdict(mo, *verdicts or [])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Then your own: write a function `make` that returns `(model, loss_fn, (inputs, targets))`, and
    type `undertow diagnose my_net.py:make`.
    """)
    return


@app.cell(hide_code=True)
def _(mo, parts, preset):
    proxy, units = preset("the proxy lies"), preset("units of measure")
    killed = preset("killed units")
    parts.links(mo, [(each.name, each.trial) for each in (proxy, units, killed)])
    return


if __name__ == "__main__":
    app.run()
