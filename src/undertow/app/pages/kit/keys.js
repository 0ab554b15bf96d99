// Space trains and pauses, R resets, wherever the keyboard is not in a control of its own.
addEventListener("keydown", (event) => {
  const names = { " ": 0, r: 2, R: 2 };
  if (!(event.key in names) || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const inside = event.composedPath()[0];
  const own = "input, textarea, select, button, a, summary, [role=slider], [contenteditable]";
  if (inside instanceof Element && inside.matches(own)) return;
  const buttons = document.querySelectorAll(".ut-actions marimo-button");
  const button = buttons[names[event.key]]?.shadowRoot?.querySelector("button");
  if (button) { event.preventDefault(); button.click(); }
});
