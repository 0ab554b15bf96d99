import marimo

app = marimo.App(width="full", app_title="Undertow: experiments")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from undertow.app.pages.experiments import page

    return mo, page


@app.cell(hide_code=True)
def _(mo, page):
    context, began, complaint = page.opening(mo)
    page.top(mo, context, complaint)
    return began, context


@app.cell(hide_code=True)
def _(began, mo, page):
    menu = page.menu(mo, began)
    return (menu,)


@app.cell(hide_code=True)
def _(began, menu, mo, page, context):
    sizes = page.sizes(mo, menu.value, began)
    train, stop = page.buttons(mo, context, menu, sizes)
    page.panel(mo, menu, sizes, train, stop)
    return sizes, stop, train


@app.cell(hide_code=True)
def _(menu, mo, page, sizes, context):
    page.draw(mo, context, page.now(menu.value, sizes.value))
    return


if __name__ == "__main__":
    app.run()
