import marimo

app = marimo.App(width="full", app_title="Undertow: playground")


@app.cell
def _():
    import marimo as mo

    from undertow.app import parts

    parts.header(mo, "playground", "")
    return


if __name__ == "__main__":
    app.run()
