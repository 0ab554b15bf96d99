import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Undertow, lesson 4: the seven remedies")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from support import checks, parts, trials
    from support import panels as figures
    from undertow.app.pages.kit import widgets as page
    from undertow.experiments.fashion_remedies import PUBLISHED_ACCURACY
    from undertow.experiments.presets import preset

    return PUBLISHED_ACCURACY, checks, figures, mo, page, parts, preset, trials


@app.cell(hide_code=True)
def _(mo, parts):
    parts.head(
        mo, 4, "Afterwards you can say what a comparison needs: one change, seeds, a placebo."
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    A published notebook trains seven sigmoid layers on Fashion-MNIST, which stay at chance, and
    applies one remedy after the other, **one network each**. Which differences mean anything?

    $$\text{arm} - \text{baseline} = \text{remedy} + \text{everything else that was changed} +
    \text{luck of the seed}$$

    First the luck: twenty networks, ten ReLU layers of ten on two moons, and twenty more of which
    nothing differs but the seeds, a **placebo**.
    """)
    return


@app.cell(hide_code=True)
def _(mo, parts):
    guess = parts.forecast(
        mo,
        "**Forecast:** how many points of accuracy lie between the best and the worst?",
        0,
        100,
        1,
    )
    mo.vstack([guess])
    return (guess,)


@app.cell(hide_code=True)
def _(mo, trials):
    count = mo.ui.slider(1, trials.PAIRS, 1, 1, show_value=True, label="networks of each")
    return (count,)


@app.cell(hide_code=True)
def _(count, guess, mo, parts):
    guessed = parts.guessed(mo, guess, 10)
    mo.stop(guessed is None, parts.waiting(mo))
    mo.vstack([count])
    return (guessed,)


@app.cell(hide_code=True)
def _(count, figures, guessed, mo, parts, trials):
    baseline, placebo = trials.two_groups()
    parts.figure(mo, figures.seeds(baseline, placebo, count.value, guessed))
    return baseline, placebo


@app.cell(hide_code=True)
def _(mo, trials):
    moved = trials.optimizer_alone()
    mo.md(rf"""
    **A half-truth: “Adam fixed it.”** In the table below Adam reaches 87 %, and the weights were
    changed with it. With Adam *alone* it works too, .81 against .10, 8 of 8 networks; but the
    gradient of step 1 is as small as before: measured now in ten sigmoid layers, SGD replaced by
    Adam moves it by **{moved:g} decades**. Adam divides by the gradient's own size: it cures the
    step, not the gradient.
    """)
    return (moved,)


@app.cell(hide_code=True)
def _(PUBLISHED_ACCURACY, checks, mo, page):
    page.table(
        mo,
        "The published table, and what each arm is made of (N(0, s): standard deviation s)",
        ["arm", "accuracy, one network", *checks.COLUMNS],
        [
            [arm.name, f"{PUBLISHED_ACCURACY[arm.name]:.3f}", *checks.settings(arm).values()]
            for arm in checks.arms()
        ],
    )
    return


@app.cell(hide_code=True)
def _(checks, mo):
    names = [arm.name for arm in checks.arms()[1:]]
    exercise = (
        mo.md(
            "**Exercise.** Which arms change exactly one thing against the baseline?\n\n"
            + " ".join(f"{{{checks.key(name)}}}" for name in names)
            + "\n\nChange only the optimizer: by how many decades does the gradient of step 1 "
            "move?\n\n{bonus}"
        )
        .batch(
            **{checks.key(name): mo.ui.checkbox(label=name) for name in names},
            bonus=mo.ui.number(0, 20, 0.1, value=None, label="decades"),
        )
        .form(submit_button_label="Check", bordered=False)
    )
    mo.vstack([exercise])
    return exercise, names


@app.cell(hide_code=True)
def _(baseline, checks, exercise, mo, moved, names, parts, placebo):
    given = parts.answered(
        mo,
        exercise,
        lambda: {**{checks.key(name): True for name in checks.single_changes()}, "bonus": moved},
    )
    verdicts = given and [
        checks.lesson_4([name for name in names if given.get(checks.key(name))]),
        checks.lesson_4_bonus(given["bonus"]) if given["bonus"] is not None else None,
    ]
    spread = max(*baseline, *placebo) - min(*baseline, *placebo)
    parts.end(
        mo,
        4,
        [
            f"best and worst of 40 networks: {spread:.0f} points apart",
            f"the optimizer alone moves the first gradient by {moved:g} decades",
        ],
        verdicts,
    )
    parts.verdict(mo, *verdicts or [])
    return


@app.cell(hide_code=True)
def _(mo, parts, preset, trials):
    proxy = preset("the proxy lies")
    parts.links(
        mo,
        [
            ("the twenty networks of the figure", trials.seeds_trial()),
            (proxy.name, proxy.trial),
            *proxy.twists,
        ],
    )
    return


if __name__ == "__main__":
    app.run()
