import marimo

app = marimo.App(width="full", app_title="Undertow: experiments")


@app.cell
def _():
    import marimo as mo

    from undertow.app import parts

    parts.header(mo, "experiments", "")
    return


if __name__ == "__main__":
    app.run()
