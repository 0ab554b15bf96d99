import marimo

app = marimo.App(width="full", app_title="Undertow: playground")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from undertow.app.pages.kit import widgets as parts
    from undertow.app.pages.playground import controls, page
    from undertow.app.pages.playground.session import Request, Session

    return Request, Session, controls, mo, page, parts


@app.cell(hide_code=True)
def _(mo, page):
    began, complaint, locked = page.opening(mo)
    page.top(mo, began, complaint)
    return began, locked


@app.cell(hide_code=True)
def _(Request, Session, began, controls, mo, page):
    session = Session()
    get_request, set_request = mo.state(Request())
    get_seed, set_seed = mo.state(began.seed)
    shape = mo.ui.dictionary(controls.shape(mo, began))
    table = mo.ui.file(filetypes=[".csv"], kind="area", label="own data: two columns and a label")

    def ask(what, remedy=""):
        set_request(lambda last: Request(what, remedy, last.number + 1))

    # In a list, out of marimo's sight: what waits for Train makes nothing run when it moves.
    pace = [controls.pace(mo, began, lambda: page.keep_address(mo, now()))]

    def now():
        waiting = {word: each.value for word, each in pace[0].items()}
        return controls.trial(shape.value, waiting, get_seed())

    def reseed_all():
        set_seed(get_seed() + int(shape.value["replicates"] or 1))

    remedies = page.remedies(mo, ask)
    train, step, reset, reseed = page.buttons(mo, session, ask, reseed_all)
    return (
        get_request,
        get_seed,
        now,
        pace,
        remedies,
        reseed,
        reset,
        session,
        shape,
        step,
        table,
        train,
    )


@app.cell(hide_code=True)
def _(mo, parts):
    measure, scale = parts.views(mo)
    live = mo.ui.checkbox(label="train as a slider moves")
    return live, measure, scale


@app.cell(hide_code=True)
def _(live, locked, measure, mo, pace, page, reseed, reset, scale, shape, step, table, train):
    views = [live, measure, scale]
    page.panel(mo, shape, pace[0], [train, step, reset, reseed], views, table, locked)
    return


@app.cell(hide_code=True)
def _(get_request, get_seed, live, measure, mo, now, page, remedies, scale, session, shape, table):
    page.draw(
        mo,
        session,
        now,
        request=get_request(),
        view=page.View(measure.value, scale.value),
        table=table,
        remedies=remedies,
        live=live.value,
        moved=(shape.value, get_seed()),
    )
    return


if __name__ == "__main__":
    app.run()
