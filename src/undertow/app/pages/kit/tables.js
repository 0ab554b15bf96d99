// A style sheet of the page does not reach into marimo's elements. Its table says "No selection" of
// single cells, beside "2 selected" of rows, and too palely to read: each table gets a sheet of its
// own, once marimo has given it the others.
{
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("span.italic[data-state] { display: none; }");
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (init) {
    const root = attach.call(this, init);
    if (this.localName === "marimo-table") setTimeout(() => root.adoptedStyleSheets.push(sheet));
    return root;
  };
}
