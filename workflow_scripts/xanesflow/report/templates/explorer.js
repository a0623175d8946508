"use strict";
// The explorer: choices, list, map and spectrum; Plotly draws. report/explorer/explorer.py writes the data.
// Texts from the data are inserted as text, never as HTML. Jinja includes this file: never put two opening braces together.
(() => {
  // Okabe and Ito's colours, for colour-blind readers; one set for a light and one for a dark page.
  const THEMES = {
    light: {
      text: "#1d1d1f", back: "#ffffff", grid: "#e3e5e9", other: "#9aa0a8", band: "rgba(0,114,178,.22)", model: "#0072b2",
      chosen: "#d55e00", near: ["#009e73", "#b07a00", "#a8478a"],
      named: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4b4b4b", "#b8a800", "#7a3db8"],
    },
    dark: {
      text: "#e6e6e6", back: "#15171a", grid: "#2d3138", other: "#6f7680", band: "rgba(86,180,233,.28)", model: "#56b4e9",
      chosen: "#ff8a3d", near: ["#2fd3a3", "#f0c040", "#e59ccb"],
      named: ["#56b4e9", "#ff8a3d", "#2fd3a3", "#e59ccb", "#f0b429", "#3f86d6", "#c9c9c9", "#f0e442", "#b48cf0"],
    },
  };
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "star", "x", "triangle-down", "pentagon"];
  const DASHES = ["dot", "dash", "dashdot"];
  const NORMALISED_EV = 10; // a normalised spectrum has a mean of 1 over its last 10 eV
  const CONFIG = { displaylogo: false, responsive: true, displayModeBar: false, showTips: false };
  const COLOURS = {
    oxidation: { name: "oxidation state", of: (k) => subset.oxidation[k] },
    coordination: { name: "coordination number", of: (k) => subset.coordination[k] },
    oxygens: { name: "oxygen neighbours", of: (k) => subset.oxygens[k] },
    error: { name: "error of the prediction", of: (k) => (isEvaluated(k) ? Math.log10(Math.max(model.mse[k], 1e-300)) : null) },
    part: { name: "part of the split", of: (k) => subset.part[k] },
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches; // on a touch screen, dragging must scroll the page
  let data, subset, model, map, chosen = null, theme = THEMES.light, printing = false;

  const at = (id) => document.getElementById(id);
  const make = (tag, text, more) => Object.assign(document.createElement(tag), { textContent: text }, more);
  const isEvaluated = (k) => k !== null && k >= 0 && k < subset.evaluated;
  const near = () => (isEvaluated(chosen) ? map.neighbours[chosen] : []);
  // Plotly reads some HTML in texts, and an id may hold anything.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (value) => (value === 0 ? "0" : value.toExponential(2).replace("-", "−"));
  const charge = (value) => (value === null ? "unknown" : value > 0 ? `+${value}` : value < 0 ? `−${-value}` : "0");

  function bytes(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text), found = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
    return found;
  }

  async function inflate(id) {
    const stream = new Blob([bytes(at(id).textContent)]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  }

  // Arrays are written as in Plotly's figures (report/explorer/packing.py).
  function typed(_, value) {
    if (!value || value.bdata === undefined) return value;
    const kinds = { u1: Uint8Array, i2: Int16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };
    return new kinds[value.dtype](bytes(value.bdata).buffer);
  }

  function options(select, entries, kept) {
    select.replaceChildren(...entries.map(([value, text, disabled]) => make("option", text, { value, disabled: Boolean(disabled) })));
    const there = entries.filter(([, , disabled]) => !disabled).map(([value]) => value);
    select.value = there.includes(kept) ? kept : there[0] ?? "";
  }

  function chooseSubset() {
    const before = chosen === null ? null : subset.ids[chosen], kept = at("x-model").selectedOptions[0]?.textContent;
    subset = data.subsets[at("x-subset").value];
    chosen = null;
    const names = subset.models.map((each) => `${each.model} on ${each.features}`);
    options(at("x-model"), names.map((name, k) => [String(k), name]), String(names.indexOf(kept)));
    chooseModel(isEvaluated(subset.ids.indexOf(before)) ? before : null);
    const known = ({ of }) => subset.ids.some((_, k) => of(k) !== null);
    options(at("x-colour"), Object.entries(COLOURS).map(([key, colour]) =>
      [key, colour.name + (known(colour) ? "" : " (not known)"), !known(colour)]), at("x-colour").value);
    draw();
  }

  // What is known of a site's structure: its name and its publication.
  const about = (k) => subset.about[subset.ids[k].slice(0, subset.ids[k].lastIndexOf("_"))] || {};
  const named = (k) => [subset.formula[k], about(k).name].filter(Boolean).join(", ");

  function chooseModel(before = chosen === null ? null : subset.ids[chosen]) {
    model = subset.models[at("x-model").value];
    map = subset.maps[model.features];
    const tenths = [...new Set(model.tenth)].sort((a, b) => a - b);
    const named = { 1: "1 (smallest errors)", 10: "10 (largest)" };
    options(at("x-tenth"), [["", "all"], ...tenths.map((k) => [String(k), named[k] ?? String(k)])], at("x-tenth").value);
    // The same site as before, else the evaluated site with the median error, else the first site.
    const order = [...model.mse.keys()].sort((a, b) => model.mse[a] - model.mse[b]);
    const typical = order[Math.floor(order.length / 2)] ?? (subset.ids.length ? 0 : null);
    chosen = before === null ? typical : subset.ids.indexOf(before);
    fillList();
  }

  function fillList() {
    const wanted = at("x-search").value.trim().toLowerCase(), only = Number(at("x-tenth").value);
    const sign = at("x-order").value === "worst" ? -1 : 1;
    const shown = [...model.mse.keys()]
      .filter((k) => (!only || model.tenth[k] === only) && `${subset.ids[k]} ${named(k)}`.toLowerCase().includes(wanted))
      .sort((a, b) => sign * (model.rank[a] - model.rank[b]));
    options(at("x-list"), shown.map((k) => [String(k), `${model.rank[k]}.  ${short(model.mse[k])}  ${subset.ids[k]}  ${named(k)}`]));
    at("x-list").size = Math.min(11, Math.max(3, subset.evaluated));
    at("x-list").selectedIndex = shown.indexOf(chosen);
    at("x-count").textContent = model.n
      ? `${shown.length} of ${model.n} ${model.part} spectra: rank, mean squared error (bohr⁴), site.`
      : `The subset has no spectrum in its ${model.part} part.`;
  }

  function choose(point) {
    chosen = point;
    at("x-list").value = String(point);
    const { x, y, marker } = marks();
    Plotly.restyle(at("x-map"), { x: [x], y: [y], marker: [marker] }, [at("x-map").data.length - 1]);
    drawSpectrum();
    at("x-said").textContent = `${subset.ids[point]} ${named(point)}`;
  }

  function draw(print = false) {
    printing = print;
    theme = dark.matches && !print ? THEMES.dark : THEMES.light;
    drawMap();
    drawSpectrum();
  }

  // In print, a plot is as wide as a page between its margins.
  function layout(x, y, more) {
    const axis = (title, own) => ({ title: { text: title }, gridcolor: theme.grid, automargin: true, zeroline: false, ...own });
    return {
      autosize: !printing, width: printing ? 660 : undefined, height: printing ? 340 : undefined,
      paper_bgcolor: theme.back, plot_bgcolor: theme.back, font: { color: theme.text, family: "system-ui, sans-serif", size: 13 },
      margin: { l: 10, r: 10, t: 10, b: 10 }, hovermode: "closest", hoverlabel: { align: "left" }, dragmode: coarse ? false : "zoom",
      legend: { orientation: "h", traceorder: "normal", y: 1.02, yanchor: "bottom", x: 0 },
      xaxis: axis(x, more), yaxis: axis(y, more),
    };
  }

  function hover(k) {
    const lines = [plain(subset.ids[k]), plain(named(k))];
    if (subset.oxidation[k] !== null) lines.push(`oxidation state ${charge(subset.oxidation[k])}`);
    if (subset.coordination[k] !== null) lines.push(`${subset.coordination[k]} neighbours, ${subset.oxygens[k]} oxygen`);
    lines.push(isEvaluated(k) ? `error ${short(model.mse[k])} bohr⁴` : data.parts[subset.part[k]]);
    return lines.join("<br>");
  }

  function points(sites, name, marker, more) {
    return {
      type: "scatter", mode: "markers", name, x: sites.map((k) => map.x[k]), y: sites.map((k) => map.y[k]), customdata: sites,
      text: sites.map(hover), hovertemplate: "%{text}<extra></extra>",
      marker: {
        size: sites.map((k) => (isEvaluated(k) ? 9 : 5) + (subset.ids.length < 100 ? 3 : 0)),
        opacity: sites.map((k) => (isEvaluated(k) ? 0.95 : 0.6)),
        line: { color: theme.text, width: sites.map((k) => (isEvaluated(k) ? 1 : 0)) }, ...marker,
      }, ...more,
    };
  }

  // A trace for each value; a whole number has the same colour and symbol in every subset, all fractions share one.
  function byValue(sites, key) {
    const groups = new Map(), name = { part: (value) => data.parts[value], oxidation: charge }[key] ?? String;
    for (const k of sites) {
      const value = COLOURS[key].of(k), style = value === null ? null : Number.isInteger(value) ? ((value % 8) + 8) % 8 : 8;
      const [text, place] = style === null ? ["unknown", 1e9] : style === 8 ? ["between two", 1e8] : [name(value), value];
      if (!groups.has(text)) groups.set(text, { place, style, sites: [] });
      groups.get(text).sites.push(k);
    }
    return [...groups].sort(([, a], [, b]) => a.place - b.place).map(([text, { style, sites: own }]) => style === null
      ? points(own, text, { color: theme.other, symbol: "x-thin-open" })
      : points(own, text, { color: theme.named[style], symbol: SYMBOLS[style] }));
  }

  function byError(sites) {
    const judged = sites.filter(isEvaluated), values = judged.map(COLOURS.error.of);
    const low = Math.min(...values), high = Math.max(...values, low + 1e-9);
    const tickvals = [0, 1, 2, 3, 4].map((k) => low + (k * (high - low)) / 4);
    const colorbar = { title: { text: "mean squared error (bohr⁴)", side: "right" }, thickness: 12, tickvals, ticktext: tickvals.map((v) => short(10 ** v)) };
    const scale = { color: values, colorscale: "Viridis", reversescale: !dark.matches || printing, cmin: low, cmax: high, colorbar };
    const rest = points(sites.filter((k) => !isEvaluated(k)), "", { color: theme.other });
    return [rest, points(judged, "", scale)].map((trace) => ({ ...trace, showlegend: false }));
  }

  // The chosen site and its nearest training sites.
  function marks() {
    const sites = chosen === null ? [] : [chosen, ...near()].filter((k) => Number.isFinite(map.x[k]));
    const pick = (own, other) => sites.map((k) => (k === chosen ? own : other));
    return {
      x: sites.map((k) => map.x[k]), y: sites.map((k) => map.y[k]),
      marker: {
        symbol: pick("circle-open", "diamond-open"), size: pick(20, 15), color: pick(theme.chosen, theme.near[0]),
        line: { width: pick(3, 2) },
      },
    };
  }

  function drawMap() {
    const sites = subset.ids.map((_, k) => k).filter((k) => Number.isFinite(map.x[k])).reverse(); // evaluated ones on top
    const key = at("x-colour").value, axes = map.umap ? "UMAP" : "component";
    const traces = key === "error" ? byError(sites) : byValue(sites, key);
    traces.push({ type: "scatter", mode: "markers", hoverinfo: "skip", showlegend: false, ...marks() });
    Plotly.react(at("x-map"), traces, layout(`${axes} 1`, `${axes} 2`, { showticklabels: false }), CONFIG);
    at("x-map-title").textContent = `Sites of ${subset.name} by ${model.features}`;
    at("x-map-note").textContent = (map.umap
      ? "UMAP of the standardised features; only neighbourhoods are meaningful, axes and distances across the map are not."
      : `${map.of} sites are too few for a UMAP: these are the two leading principal components of the standardised features.`)
      + (subset.evaluated ? " Ring: the chosen site. Diamonds: its nearest training sites." : "")
      + (coarse ? "" : " Drag to zoom, double-click to zoom out.");
  }

  function drawSpectrum() {
    const normalised = at("x-scale").value === "normalised", last = subset.energy.filter((e) => e > subset.energy.at(-1) - NORMALISED_EV).length;
    const values = (spectra, k) => {
      const n = subset.energy.length;
      let level = 0, slope = 0;
      return Array.from(spectra.bends.subarray(k * n, (k + 1) * n), (bend) => (level += slope += bend) * spectra.unit[k]);
    };
    const mean = (y) => y.slice(-last).reduce((sum, value) => sum + value, 0) / last;
    const scaled = (y, by = y) => y.map((value) => value * (normalised ? 1 / mean(by) : 1000));
    const line = (y, name, rank, style, more) =>
      ({ type: "scatter", mode: "lines", x: subset.energy, y, name, legendrank: rank, line: style, hoverinfo: "x+y+name", showlegend: true, ...more });
    const traces = [];
    if (isEvaluated(chosen)) {
      const predicted = values(model.predictions, chosen);
      if (model.lower) {
        const bound = (edge) => scaled(values(edge, chosen), predicted), quiet = { hoverinfo: "skip" };
        traces.push(line(bound(model.lower), "", 9, { width: 0 }, { ...quiet, showlegend: false }));
        traces.push(line(bound(model.upper), "68 % band", 3, { width: 0 }, { ...quiet, fill: "tonexty", fillcolor: theme.band }));
      }
      traces.push(line(scaled(predicted), "predicted", 2, { width: 2.2, color: theme.model, dash: "dash" }));
    }
    if (at("x-draw-near").checked) near().forEach((k, n) => traces.push(
      line(scaled(values(subset.spectra, k)), plain([about(k).name, subset.ids[k]].filter(Boolean).join(" ")), 4 + n, { width: 1, color: theme.near[n], dash: DASHES[n] })));
    if (chosen !== null) traces.push(line(scaled(values(subset.spectra, chosen)), "simulated", 1, { width: 2.2, color: theme.text }));
    const y = normalised ? `Normalised μ(E) (1 over the last ${NORMALISED_EV} eV)` : "Cross section (10⁻³ bohr²)";
    Plotly.react(at("x-spectrum"), traces, layout("Photon energy (eV)", y, { exponentformat: "none", separatethousands: false }), CONFIG);
    showFacts();
  }

  // What is known about the chosen site, as text.
  function showFacts() {
    const k = chosen, facts = [];
    at("x-title").textContent = k === null ? "No site" : [subset.ids[k], named(k)].filter(Boolean).join(", ");
    if (k !== null) {
      const source = subset.oxidation_from[k], cn = subset.coordination[k];
      facts.push(["Site", subset.ids[k]], ["Formula", subset.formula[k] || "not known"]);
      if (about(k).name) facts.push(["Compound", about(k).name]);
      if (about(k).parent) facts.push(["Cell of", `the disordered crystal ${about(k).parent}`]);
      if (about(k).reference) facts.push(["Structure from", about(k).reference]);
      facts.push(["Multiplicity", subset.multiplicity[k] === 1 ? "1 atom in the cell" : `${subset.multiplicity[k]} equivalent atoms in the cell`]);
      facts.push(["Part", data.parts[subset.part[k]]], ["Oxidation state", charge(subset.oxidation[k]) + (source ? ` (${source})` : "")]);
      facts.push(["Neighbours", cn === null ? "not known" : `${cn}, ${subset.oxygens[k]} of them oxygen (CrystalNN)`]);
      if (subset.detail[k]) facts.push(["Note", subset.detail[k]]);
      if (isEvaluated(k)) {
        facts.push(["Error", `${short(model.mse[k])} bohr⁴ mean squared, ${short(Math.sqrt(model.mse[k]))} bohr² root mean square`]);
        facts.push(model.lower ? ["Expected error", `${short(model.expected[k])} bohr² root mean square`]
          : ["Error band", `none: ${model.uncalibrated.replaceAll("`", "") || "this kind of model has no error bars"}`]);
        facts.push(["Rank", `${model.rank[k]} of ${model.n} from the smallest error, tenth ${model.tenth[k]}`]);
      } else facts.push(["Prediction", model.n ? "none on this page: not an evaluated site, or not in the sample" : "none"]);
    }
    at("x-facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
    at("x-near").hidden = !near().length;
    at("x-near").tBodies[0].replaceChildren(...near().map((other, n) => {
      const row = make("tr"), button = make("button", subset.ids[other], { type: "button", onclick: () => choose(other) });
      row.insertCell().append(button);
      for (const text of [named(other) || "–", charge(subset.oxidation[other])]) row.append(make("td", text, { className: "text" }));
      row.append(make("td", map.distances[k][n].toFixed(2)));
      return row;
    }));
  }

  // Move to the next evaluated site in the direction of an arrow key.
  function step(dx, dy) {
    const costs = [...model.mse.keys()].map((k) => {
      const x = map.x[k] - map.x[chosen], y = map.y[k] - map.y[chosen], along = x * dx + y * dy;
      return along > 0 ? along + 2 * Math.abs(x * dy - y * dx) : Infinity;
    });
    const least = Math.min(...costs);
    if (least < Infinity) choose(costs.indexOf(least));
  }

  function listen() {
    at("x-subset").onchange = chooseSubset;
    at("x-model").onchange = () => { chooseModel(); draw(); };
    at("x-colour").onchange = () => drawMap();
    at("x-scale").onchange = at("x-draw-near").onchange = drawSpectrum;
    at("x-search").oninput = at("x-tenth").oninput = at("x-order").oninput = fillList;
    at("x-list").onchange = () => choose(Number(at("x-list").value));
    at("x-search").onkeydown = (event) => {
      if (event.key !== "Enter" || !at("x-list").length) return;
      choose(Number(at("x-list").options[0].value));
      at("x-list").focus();
    };
    at("x-map").onkeydown = (event) => {
      const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      step(...way);
    };
    at("x-map").on("plotly_click", (event) => choose(event.points[0].customdata));
    dark.onchange = onafterprint = () => draw();
    onbeforeprint = () => draw(true);
  }

  async function start() {
    try {
      data = JSON.parse(await inflate("x-data"), typed);
      document.head.append(make("script", await inflate("x-plotly")));
    } catch (error) {
      at("x-wait").textContent = `This browser cannot show this section (${error}); the figures below show its most important parts.`;
      return;
    }
    at("x-wait").hidden = true;
    at("explorer").hidden = false;
    options(at("x-subset"), data.subsets.map((each, k) => [String(k), each.name]));
    chooseSubset();
    listen();
    at("explorer").dataset.ready = "yes";
  }

  addEventListener("load", () => setTimeout(start)); // the rest of the page opens first
})();
