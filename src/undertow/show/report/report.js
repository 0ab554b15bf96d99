(function () {
  "use strict";
  var options = { actions: false, renderer: "svg", ast: true };
  function stack(spec) {
    if (spec.hconcat) { spec.vconcat = spec.hconcat; delete spec.hconcat; }
    (spec.vconcat || []).forEach(stack);
  }
  function fit(spec, room) {
    if (room < 600) { stack(spec); }
    if (spec.columns && spec.concat) {
      var count = spec.concat.length;
      spec.concat.forEach(function (panel) {
        var width = panel.width || 200;
        if (count <= 3 && width === 150) { // a few panels alone would leave the page empty
          var factor = Math.min(2, (Math.min(room, 900) / count - 70) / width);
          if (factor > 1) {
            panel.width = width * factor;
            if (typeof panel.height === "number") { panel.height *= Math.min(factor, 1.6); }
          }
        }
        if (room < 440 && width === 150 && count > 1) { panel.width = 115; } // a phone: two narrow
      });
      var widths = spec.concat.map(function (panel) { return (panel.width || 200) + 70; });
      var widest = Math.max.apply(null, widths);
      spec.columns = Math.max(1, Math.min(spec.columns, Math.floor((room + 20) / widest)));
    } else if (typeof spec.width === "number") {
      var beside = spec.mark ? 90 : 260; // axis labels, and words to the right of a layered chart
      spec.width = Math.max(200, Math.min(spec.width, room - beside));
    }
  }
  function draw(chart) {
    var name = chart.getAttribute("data-of");
    var source = document.querySelector('script[data-for="' + name + '"]');
    var spec = JSON.parse(source.textContent);
    fit(spec, chart.parentElement.clientWidth);
    // Vega gives the element that it draws into a role of its own: the outer one stays a picture.
    return vegaEmbed(chart.firstElementChild, spec, options).catch(function (error) {
      chart.textContent = String(error);
    });
  }
  function drawAll() {
    return Promise.all(Array.from(document.querySelectorAll(".chart"), draw)).then(function () {
      document.querySelectorAll(".scroll").forEach(function (box) {
        // Only what scrolls is a stop of the tabulator key.
        if (box.scrollWidth > box.clientWidth) { box.tabIndex = 0; }
        else { box.removeAttribute("tabindex"); }
      });
      document.documentElement.setAttribute("data-drawn", "");
    });
  }
  function offerCopy(text) {
    var button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy the " + text.getAttribute("data-copy"));
    var said = document.createElement("span");
    said.setAttribute("role", "status");
    button.addEventListener("click", function () {
      var range = document.createRange();
      range.selectNodeContents(text);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      said.textContent = document.execCommand("copy") ? " copied" : " selected";
    });
    text.after(button, said);
  }
  var width = window.innerWidth, waiting, opened = [];
  window.addEventListener("resize", function () {
    if (window.innerWidth === width) { return; }
    width = window.innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 200);
  });
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (each) { each.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (each) { each.open = false; });
  });
  document.querySelectorAll("[data-copy]").forEach(offerCopy);
  drawAll();
})();
