import marimo

app = marimo.App(width="full", app_title="Undertow: runs")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from undertow.app.pages.kit import widgets as parts
    from undertow.app.pages.runs import page

    return mo, page, parts


@app.cell(hide_code=True)
def _(mo, page):
    shown = page.opening(mo)
    page.top(mo, shown)
    return (shown,)


@app.cell(hide_code=True)
def _(mo):
    get_list, set_list = mo.state(0)

    def renew():
        set_list(lambda number: number + 1)

    return get_list, renew


@app.cell(hide_code=True)
def _(get_list, mo, page, shown):
    get_list()
    rows = page.rows(shown)
    table = page.table(mo, rows, shown)
    mo.output.append(table if rows else None)
    return (table,)


@app.cell(hide_code=True)
def _(mo, parts):
    measure, scale = parts.views(mo)
    mo.hstack([measure, scale], justify="start", wrap=True)
    return measure, scale


@app.cell(hide_code=True)
def _(measure, mo, page, renew, scale, shown, table):
    page.draw(mo, shown, table.value, page.View(measure.value, scale.value), renew)
    return


if __name__ == "__main__":
    app.run()
