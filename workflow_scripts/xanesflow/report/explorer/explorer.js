"use strict";
// Reads what report/explorer/packing.py wrote, and defines how things look; explorer_view.js draws.

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function inflate(id) {
  const stream = new Blob([fromBase64(document.getElementById(id).textContent)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const kinds = { u8: Uint8Array, u16: Uint16Array, i32: Int32Array, f32: Float32Array, f64: Float64Array };
  const arrays = header.arrays.map(([kind, offset, number]) => new kinds[kind](buffer, 4 + length + offset, number));
  return { content: header.content, arrays };
}

// Unpacks one row of spectra, in bohr².
function spectrumOf(pack, packed, row) {
  const planes = pack.arrays[packed.data], half = packed.rows * packed.columns, start = row * packed.columns;
  const values = new Array(packed.columns);
  for (let k = 0, level = 0, slope = 0; k < packed.columns; k++) {
    const folded = planes[start + k] + 256 * planes[half + start + k];
    slope += folded % 2 ? -(folded + 1) / 2 : folded / 2;
    level += slope;
    values[k] = level * packed.unit;
  }
  return values;
}

// Okabe and Ito's colours and steps of viridis, for colour-blind readers; one set for a light and one for a dark page.
const THEMES = {
  light: {
    text: "#1d1d1f", back: "#ffffff", grid: "#e3e5e9", rim: "#1d1d1f", other: "#9aa0a8", band: "rgba(0,114,178,.22)",
    truth: "#1d1d1f", model: "#0072b2", chosen: "#d55e00", near: ["#009e73", "#b07a00", "#a8478a"],
    named: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4b4b4b", "#b8a800", "#7a3db8"],
    scale: ["#a5db36", "#4ac16d", "#1fa187", "#277f8e", "#365c8d", "#46327e", "#440154"],
  },
  dark: {
    text: "#e6e6e6", back: "#15171a", grid: "#2d3138", rim: "#e6e6e6", other: "#6f7680", band: "rgba(86,180,233,.28)",
    truth: "#f2f2f2", model: "#56b4e9", chosen: "#ff8a3d", near: ["#2fd3a3", "#f0c040", "#e59ccb"],
    named: ["#56b4e9", "#ff8a3d", "#2fd3a3", "#e59ccb", "#f0b429", "#3f86d6", "#c9c9c9", "#f0e442", "#b48cf0"],
    scale: ["#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"],
  },
};
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "star", "x", "triangle-down", "pentagon"];
const NEAR_DASHES = ["dot", "dash", "dashdot"];

// Plotly reads some HTML in texts, and an id may hold anything.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const short = (value) => (value === 0 ? "0" : value.toExponential(2).replace("-", "−"));
const charge = (value) => (value === null ? "unknown" : value > 0 ? `+${value}` : value < 0 ? `−${-value}` : "0");

function scaleOf(theme) {
  return theme.scale.map((colour, k) => [k / (theme.scale.length - 1), colour]);
}

function axis(theme, title, more) {
  return {
    title: { text: title, font: { size: 13 } }, gridcolor: theme.grid, zerolinecolor: theme.grid, linecolor: theme.grid,
    automargin: true, exponentformat: "e", ...more,
  };
}

// In print, a plot is as wide as a page between its margins.
function layoutOf(theme, print, more) {
  return {
    autosize: !print, width: print ? 660 : undefined, height: print ? 340 : undefined,
    paper_bgcolor: theme.back, plot_bgcolor: theme.back, font: { color: theme.text, family: "system-ui, sans-serif", size: 12 },
    margin: { l: 10, r: 10, t: 10, b: 10 }, hoverlabel: { align: "left" }, ...more,
  };
}

const CONFIG = {
  displaylogo: false, responsive: true, displayModeBar: false, scrollZoom: false, doubleClick: "reset", showTips: false,
};
