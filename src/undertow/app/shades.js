// A style sheet of the page does not reach into marimo's elements, and the small words of its table
// are too pale to read: each table gets a sheet of its own, once marimo has given it the others.
{
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("* { --muted-foreground: #454545 !important; }");
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (init) {
    const root = attach.call(this, init);
    if (this.localName === "marimo-table") setTimeout(() => root.adoptedStyleSheets.push(sheet));
    return root;
  };
}
