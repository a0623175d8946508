// The explorer: choices, list, map and spectrum. Texts from the data are inserted as text, never as HTML.
(() => {
  const at = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches; // on a touch screen, dragging must scroll the page
  const UNKNOWN = 255;
  let pack, subset, model, map, chosen = null, started = false, theme = THEMES.light, printing = false;

  const numbers = (index) => pack.arrays[index];
  const isEvaluated = (point) => point >= 0 && point < subset.evaluated;
  const COLOURS = {
    oxidation: { name: "oxidation state", known: () => subset.oxidation.some((value) => value !== null) },
    coordination: { name: "coordination number", known: () => numbers(subset.coordination).some((n) => n !== UNKNOWN) },
    oxygens: { name: "oxygen neighbours", known: () => numbers(subset.oxygens).some((n) => n !== UNKNOWN) },
    error: { name: "error of the prediction", known: () => subset.evaluated > 0 },
    part: { name: "part of the split", known: () => true },
  };

  function options(select, entries, kept) {
    select.replaceChildren(...entries.map(([value, text, off]) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = text;
      option.disabled = Boolean(off);
      return option;
    }));
    if (entries.some(([value, , off]) => value === kept && !off)) select.value = kept;
    else select.value = (entries.find(([, , off]) => !off) || [""])[0];
  }

  function chooseSubset() {
    const before = chosen === null ? null : subset.ids[chosen];
    subset = pack.content.subsets[Number(at("x-subset").value)];
    const kept = at("x-model").selectedOptions[0]?.textContent;
    const names = subset.models.map((each) => `${each.model} on ${each.features}`);
    options(at("x-model"), names.map((name, k) => [String(k), name]), String(Math.max(0, names.indexOf(kept))));
    options(at("x-colour"), Object.entries(COLOURS).map(([key, { name, known }]) =>
      [key, known() ? name : `${name} (not known)`, !known()]), at("x-colour").value);
    chosen = null;
    chooseModel(isEvaluated(subset.ids.indexOf(before)) ? before : null);
  }

  function chooseModel(keep) {
    const before = keep ?? (chosen === null ? null : subset.ids[chosen]);
    model = subset.models[Number(at("x-model").value)];
    map = subset.maps[model.features];
    const tenths = [...new Set(numbers(model.tenth))].sort((a, b) => a - b);
    const named = tenths.map((k) => [String(k), k === 1 ? "1 (smallest errors)" : k === 10 ? "10 (largest)" : String(k)]);
    options(at("x-tenth"), [["", "all"], ...named], at("x-tenth").value);
    const here = subset.ids.indexOf(before);
    chosen = here >= 0 ? here : typical();
    fillList();
    draw();
  }

  // What is known of a site's structure: its name and its publication.
  const about = (k) => subset.about[subset.ids[k].slice(0, subset.ids[k].lastIndexOf("_"))] || {};
  const named = (k) => [subset.formula[k], about(k).name].filter(Boolean).join(", ");

  // The evaluated site with the median error, else the first site.
  function typical() {
    const order = [...Array(subset.evaluated).keys()].sort((a, b) => numbers(model.mse)[a] - numbers(model.mse)[b]);
    return order.length ? order[Math.floor(order.length / 2)] : subset.ids.length ? 0 : null;
  }

  function fillList() {
    const mse = numbers(model.mse), tenth = numbers(model.tenth), rank = numbers(model.rank);
    const wanted = at("x-search").value.trim().toLowerCase(), only = Number(at("x-tenth").value);
    const sign = at("x-order").value === "worst" ? -1 : 1;
    const shown = [...Array(subset.evaluated).keys()]
      .filter((k) => (!only || tenth[k] === only) && (!wanted || `${subset.ids[k]} ${named(k)}`.toLowerCase().includes(wanted)))
      .sort((a, b) => sign * (rank[a] - rank[b]));
    options(at("x-list"), shown.map((k) => [String(k), `${rank[k]}.  ${short(mse[k])}  ${subset.ids[k]}  ${named(k)}`]), String(chosen));
    at("x-list").size = Math.min(11, Math.max(3, subset.evaluated));
    if (!shown.includes(chosen)) at("x-list").selectedIndex = -1;
    const of = `${shown.length} of ${model.n} ${model.part} spectra`;
    at("x-count").textContent = model.n ? `${of}: rank, mean squared error (bohr⁴), site.` : `The subset has no spectrum in its ${model.part} part.`;
  }

  function choose(point) {
    chosen = point;
    at("x-list").value = String(point);
    if (at("x-list").value !== String(point)) at("x-list").selectedIndex = -1;
    draw({ spectrumOnly: true });
    at("x-said").textContent = `${subset.ids[point]} ${named(point)}`;
  }

  function draw({ spectrumOnly = false, print = false } = {}) {
    printing = print;
    theme = dark.matches && !print ? THEMES.dark : THEMES.light;
    if (spectrumOnly) Plotly.restyle(at("x-map"), marks(), [at("x-map").data.length - 2, at("x-map").data.length - 1]);
    else drawMap();
    drawSpectrum();
    showFacts();
  }

  const near = () => (chosen !== null && isEvaluated(chosen) ? map.neighbours[chosen] : []);

  function marks() {
    const x = numbers(map.x), y = numbers(map.y), around = near().filter((k) => Number.isFinite(x[k]));
    const here = chosen !== null && Number.isFinite(x[chosen]) ? [chosen] : [];
    return { x: [around.map((k) => x[k]), here.map((k) => x[k])], y: [around.map((k) => y[k]), here.map((k) => y[k])] };
  }

  function hover(point) {
    const cn = numbers(subset.coordination)[point], lines = [plain(subset.ids[point]), plain(named(point))];
    if (subset.oxidation[point] !== null) lines.push(`oxidation state ${charge(subset.oxidation[point])}`);
    if (cn !== UNKNOWN) lines.push(`${cn} neighbours, ${numbers(subset.oxygens)[point]} oxygen`);
    if (isEvaluated(point)) lines.push(`error ${short(numbers(model.mse)[point])} bohr⁴`);
    else lines.push(pack.content.parts[numbers(subset.split)[point]]);
    return lines.join("<br>");
  }

  function points(list, marker, name) {
    const x = numbers(map.x), y = numbers(map.y);
    return {
      type: "scatter", mode: "markers", name, x: list.map((k) => x[k]), y: list.map((k) => y[k]), customdata: list,
      text: list.map(hover), hovertemplate: "%{text}<extra></extra>",
      marker: {
        size: list.map((k) => (isEvaluated(k) ? 9 : 5) + (subset.ids.length < 100 ? 3 : 0)), opacity: list.map((k) => (isEvaluated(k) ? 0.95 : 0.6)),
        line: { color: theme.rim, width: list.map((k) => (isEvaluated(k) ? 1 : 0)) }, ...marker,
      },
    };
  }

  // A trace for each group of points, in the order of the styles (name -> [colour, symbol]).
  function byName(all, nameOf, styles) {
    const groups = new Map(Object.keys(styles).map((name) => [name, []]));
    for (const k of all) groups.get(nameOf(k)).push(k);
    return [...groups].filter(([, list]) => list.length).map(([name, list]) => {
      const [color, symbol] = styles[name];
      return points(list, { color, symbol }, name);
    });
  }

  // A whole oxidation state has the same colour in every subset; all fractional averages share one.
  function stateOf(k) {
    const value = subset.oxidation[k];
    return value === null || Number.isInteger(value) ? charge(value) : "between two";
  }

  function stateStyles() {
    const states = [...new Set(subset.oxidation.filter(Number.isInteger))].sort((a, b) => a - b);
    const styles = {};
    for (const state of states) {
      const n = ((state % 8) + 8) % 8;
      styles[charge(state)] = [theme.named[n], SYMBOLS[n]];
    }
    return { ...styles, "between two": [theme.named[8], SYMBOLS[8]], unknown: [theme.other, "x-thin-open"] };
  }

  function partStyles() {
    return Object.fromEntries(pack.content.parts.map((part, n) => [part, [theme.named[n], SYMBOLS[n]]]));
  }

  function byNumber(all, valueOf, title, log) {
    const known = all.filter((k) => valueOf(k) !== null), rest = all.filter((k) => valueOf(k) === null);
    const values = known.map((k) => (log ? Math.log10(Math.max(valueOf(k), 1e-300)) : valueOf(k)));
    const low = Math.min(...values), high = Math.max(...values);
    const ticks = log ? {
      tickvals: [...Array(5).keys()].map((k) => low + (k * (high - low)) / 4),
      ticktext: [...Array(5).keys()].map((k) => short(10 ** (low + (k * (high - low)) / 4))),
    } : { tickvals: [...new Set(values)].sort((a, b) => a - b), tickformat: "d" };
    const bar = { title: { text: title, side: "right" }, thickness: 12, outlinewidth: 0, len: 0.95, ...ticks };
    const drawn = [points(rest, { color: theme.other, symbol: "circle" }, "without a value")];
    if (known.length) drawn.push(points(known, { color: values, colorscale: scaleOf(theme), cmin: low, cmax: high === low ? low + 1 : high, colorbar: bar }, title));
    return drawn;
  }

  function drawMap() {
    const x = numbers(map.x), all = subset.ids.map((_, k) => k).filter((k) => Number.isFinite(x[k]));
    const key = at("x-colour").value, mse = numbers(model.mse);
    const number = (index) => (k) => (numbers(index)[k] === UNKNOWN ? null : numbers(index)[k]);
    const first = [...all].sort((a, b) => isEvaluated(a) - isEvaluated(b)); // evaluated ones on top
    const traces = {
      oxidation: () => byName(first, stateOf, stateStyles()),
      part: () => byName(first, (k) => pack.content.parts[numbers(subset.split)[k]], partStyles()),
      coordination: () => byNumber(first, number(subset.coordination), "neighbours"),
      oxygens: () => byNumber(first, number(subset.oxygens), "oxygen neighbours"),
      error: () => byNumber(first, (k) => (isEvaluated(k) ? mse[k] : null), "mean squared error (bohr⁴)", true),
    }[key]();
    const mark = marks(), ring = { type: "scatter", mode: "markers", hoverinfo: "skip", showlegend: false };
    traces.push({ ...ring, x: mark.x[0], y: mark.y[0], marker: { symbol: "diamond-open", size: 15, color: theme.near[0], line: { width: 2 } } });
    traces.push({ ...ring, x: mark.x[1], y: mark.y[1], marker: { symbol: "circle-open", size: 20, color: theme.chosen, line: { width: 3 } } });
    const named = key === "oxidation" || key === "part", axes = map.umap ? "UMAP" : "component";
    const still = { zeroline: false, showticklabels: false, ticks: "" };
    Plotly.react(at("x-map"), traces, layoutOf(theme, printing, {
      xaxis: axis(theme, `${axes} 1`, still), yaxis: axis(theme, `${axes} 2`, still), showlegend: named, hovermode: "closest",
      dragmode: coarse ? false : "zoom", legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, itemsizing: "constant" },
    }), CONFIG);
    at("x-map-title").textContent = `Sites of ${subset.name} by ${model.features}`;
    const how = map.umap ? "UMAP of the standardised features; only neighbourhoods are meaningful, axes and distances across the map are not."
      : `${map.of} sites are too few for a UMAP: these are the two leading principal components of the standardised features.`;
    const marked = subset.evaluated ? " Ring: the chosen site. Diamonds: its nearest training sites." : "";
    at("x-map-note").textContent = how + marked + (coarse ? "" : " Drag to zoom, double-click to zoom out.");
  }

  function drawSpectrum() {
    const energy = Array.from(numbers(subset.energy)), line = { type: "scatter", mode: "lines", x: energy, hoverinfo: "x+y+name" };
    const traces = [];
    if (chosen !== null) {
      if (isEvaluated(chosen) && model.lower) {
        traces.push({ ...line, y: spectrumOf(pack, model.lower, chosen), line: { width: 0 }, showlegend: false, hoverinfo: "skip" });
        traces.push({ ...line, y: spectrumOf(pack, model.upper, chosen), line: { width: 0 }, fill: "tonexty", fillcolor: theme.band, name: "68 % band", hoverinfo: "skip", legendrank: 3 });
      }
      if (at("x-draw-near").checked) {
        near().forEach((k, n) => traces.push({
          ...line, y: spectrumOf(pack, subset.spectra, k), name: plain([about(k).name, subset.ids[k]].filter(Boolean).join(" ")), legendrank: 4 + n, line: { width: 1, color: theme.near[n % 3], dash: NEAR_DASHES[n % 3] },
        }));
      }
      traces.push({ ...line, y: spectrumOf(pack, subset.spectra, chosen), name: "simulated", legendrank: 1, line: { width: 2.2, color: theme.truth } });
      if (isEvaluated(chosen)) {
        traces.push({ ...line, y: spectrumOf(pack, model.predictions, chosen), name: "predicted", legendrank: 2, line: { width: 2.2, color: theme.model, dash: "dash" } });
      }
    }
    Plotly.react(at("x-spectrum"), traces, layoutOf(theme, printing, {
      xaxis: axis(theme, "Photon energy (eV)", { zeroline: false, tickformat: "d" }), yaxis: axis(theme, "Cross section (bohr²)", { zeroline: false }),
      hovermode: "closest", dragmode: coarse ? false : "zoom", showlegend: true, legend: { orientation: "h", traceorder: "normal", y: 1.02, yanchor: "bottom", x: 0 },
    }), CONFIG);
  }

  // What is known about the chosen site, as text.
  function showFacts() {
    const facts = [], near_ = near();
    if (chosen !== null) {
      const k = chosen, cn = numbers(subset.coordination)[k], source = subset.oxidation_from[k];
      at("x-title").textContent = [subset.ids[k], named(k)].filter(Boolean).join(", ");
      facts.push(["Site", subset.ids[k]], ["Formula", subset.formula[k] || "not known"]);
      if (about(k).name) facts.push(["Compound", about(k).name]);
      if (about(k).parent) facts.push(["Cell of", `the disordered crystal ${about(k).parent}`]);
      facts.push(["Multiplicity", `${numbers(subset.multiplicity)[k]} equivalent atoms in the cell`.replace(/^1 equivalent atoms/, "1 atom")]);
      facts.push(["Part", pack.content.parts[numbers(subset.split)[k]]]);
      facts.push(["Oxidation state", charge(subset.oxidation[k]) + (source ? ` (${source})` : "")]);
      facts.push(["Neighbours", cn === UNKNOWN ? "not known" : `${cn}, ${numbers(subset.oxygens)[k]} of them oxygen (CrystalNN)`]);
      if (subset.detail[k]) facts.push(["Note", subset.detail[k]]);
      if (about(k).reference) facts.push(["Structure from", about(k).reference]);
      if (isEvaluated(k)) {
        const mse = numbers(model.mse)[k];
        facts.push(["Error", `${short(mse)} bohr⁴ mean squared, ${short(Math.sqrt(mse))} bohr² root mean square`]);
        if (model.lower) facts.push(["Expected error", `${short(numbers(model.expected)[k])} bohr² root mean square`]);
        else facts.push(["Error band", model.uncalibrated ? `none: ${model.uncalibrated}` : "none: this kind of model has no error bars"]);
        facts.push(["Rank", `${numbers(model.rank)[k]} of ${model.n} from the smallest error, tenth ${numbers(model.tenth)[k]}`]);
      } else facts.push(["Prediction", model.n ? "none on this page: not an evaluated site, or not in the sample" : "none"]);
    } else at("x-title").textContent = "No site";
    at("x-facts").replaceChildren(...facts.flatMap(([name, value]) => [["dt", name], ["dd", value]].map(([tag, text]) => {
      const element = document.createElement(tag);
      element.textContent = text;
      return element;
    })));
    at("x-near").hidden = !near_.length;
    at("x-near").tBodies[0].replaceChildren(...near_.map((k, n) => {
      const row = document.createElement("tr"), button = document.createElement("button");
      button.type = "button";
      button.textContent = subset.ids[k];
      button.addEventListener("click", () => choose(k));
      row.insertCell().append(button);
      for (const text of [named(k) || "–", charge(subset.oxidation[k])]) {
        const cell = row.insertCell();
        cell.className = "text";
        cell.textContent = text;
      }
      row.insertCell().textContent = map.distances[chosen][n].toFixed(2);
      return row;
    }));
  }

  // Move to the next evaluated site in the direction of an arrow key.
  function step(dx, dy) {
    const x = numbers(map.x), y = numbers(map.y);
    if (chosen === null || !Number.isFinite(x[chosen])) return;
    let best = null, least = Infinity;
    for (let k = 0; k < subset.evaluated; k++) {
      const along = (x[k] - x[chosen]) * dx + (y[k] - y[chosen]) * dy, across = Math.abs((x[k] - x[chosen]) * dy - (y[k] - y[chosen]) * dx);
      const cost = along + 2 * across;
      if (along > 0 && cost < least) [best, least] = [k, cost];
    }
    if (best !== null) choose(best);
  }

  function move(by) {
    const list = at("x-list"), next = list.selectedIndex + by;
    if (next >= 0 && next < list.length) choose(Number(list.options[next].value));
  }

  function listen() {
    at("x-subset").addEventListener("change", chooseSubset);
    at("x-model").addEventListener("change", () => chooseModel());
    at("x-colour").addEventListener("change", () => draw());
    at("x-draw-near").addEventListener("change", drawSpectrum);
    for (const id of ["x-search", "x-tenth", "x-order"]) at(id).addEventListener("input", fillList);
    at("x-list").addEventListener("change", () => choose(Number(at("x-list").value)));
    at("x-search").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !at("x-list").length) return;
      choose(Number(at("x-list").options[0].value));
      at("x-list").focus();
    });
    at("x-previous").addEventListener("click", () => move(-1));
    at("x-next").addEventListener("click", () => move(1));
    at("x-map").addEventListener("keydown", (event) => {
      const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      step(...way);
    });
    at("x-map").on("plotly_click", (event) => choose(event.points[0].customdata));
    dark.addEventListener("change", () => draw());
    addEventListener("beforeprint", () => draw({ print: true }));
    addEventListener("afterprint", () => draw());
  }

  async function start() {
    if (started) return;
    started = true;
    at("x-wait").hidden = false;
    await new Promise((resolve) => setTimeout(resolve)); // lets the browser draw the note first
    try {
      pack = unpack(await inflate("x-data"));
      const code = document.createElement("script");
      code.textContent = new TextDecoder().decode(await inflate("x-plotly"));
      document.head.append(code);
    } catch (error) {
      at("x-failed").textContent = `This browser cannot show this section (${error}); the figures below show its most important parts.`;
      at("x-failed").hidden = false;
      return;
    } finally {
      at("x-wait").hidden = true;
    }
    at("explorer").hidden = false;
    options(at("x-subset"), pack.content.subsets.map((each, k) => [String(k), each.name]), "0");
    chooseSubset();
    listen();
    at("explorer").dataset.ready = "yes";
  }

  // The page opens first; this section loads when you scroll near it, or when the browser is idle.
  const watcher = new IntersectionObserver((seen) => {
    if (seen.some((each) => each.isIntersecting)) start();
  }, { rootMargin: "800px" });
  addEventListener("load", () => {
    watcher.observe(at("explore"));
    (window.requestIdleCallback || setTimeout)(start);
  });
})();
