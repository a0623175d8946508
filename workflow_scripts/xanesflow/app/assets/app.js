// What Dash has no component for: tabs, fields for files, copying, images of figures, and sites that light up.
"use strict";
(() => {
  const $ = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // Tabs, by mouse and by keyboard; the address remembers the chosen one.
  const choose = (tab) => {
    $('[role="tab"]').forEach((each) => {
      const on = each === tab;
      each.setAttribute("aria-selected", on);
      each.tabIndex = on ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !on;
    });
    history.replaceState(null, "", "#" + tab.id.slice(4));
    window.dispatchEvent(new Event("resize"));
  };
  document.addEventListener("keydown", (event) => {
    const tabs = $('[role="tab"]'), at = tabs.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (at >= 0 && step) { const next = tabs[(at + step + tabs.length) % tabs.length]; next.focus(); next.click(); }
  });

  // A server that is gone, or was started anew with another token, is named; what is shown stays.
  const trouble = (sentence) => {
    const place = document.getElementById("lost");
    if (place && place.textContent !== sentence) place.textContent = sentence;
  };
  const fetched = window.fetch;
  window.fetch = async (...given) => {
    try {
      const answer = await fetched(...given);
      trouble(answer.status === 403 ? "The page's server was started anew: open the address that it printed." : "");
      return answer;
    } catch (error) {
      if (error.name !== "AbortError") {
        trouble("The page's server does not answer. If it was stopped, start `xanesflow app` again; finished work is kept.");
      }
      throw error;
    }
  };

  // Fields for files.
  const say = (place, sentence) => { place.closest(".drop").querySelector(".error").textContent = sentence; };
  const send = async (place, given) => {
    const { purpose, store, several } = place.dataset, kept = [], refused = [];
    const files = several ? given : given.slice(0, 1);
    say(place, files.length ? "" : "There is no file in that.");
    for (const [number, file] of files.entries()) {
      place.setAttribute("aria-busy", "true");
      place.dataset.sending = files.length > 1 ? `sending ${number + 1} of ${files.length} files …` : "sending …";
      const query = new URLSearchParams({ name: file.name, bytes: file.size });
      const body = file.size > 2e7 ? "" : file;  // larger than any limit: refused by its size alone
      try {
        const answer = await fetch(`/upload/${purpose}?${query}`, { method: "POST", body });
        const said = await answer.json();
        if (answer.ok) kept.push(said); else refused.push(said.error);
      } catch (error) {
        refused.push(`${file.name} could not be sent: the page's server does not answer, or the file is too large.`);
      }
    }
    place.removeAttribute("aria-busy");
    if (refused.length) say(place, refused.slice(0, 5).join(" ") + (refused.length > 5 ? ` … and ${refused.length - 5} more.` : ""));
    if (!kept.length) return;
    const names = kept.slice(0, 8).map((each) => each.name).join(", ") + (kept.length > 8 ? ", …" : "");
    document.getElementById(`${store}-kept`).textContent = kept.length > 1 ? `${kept.length} files: ${names}` : names;
    window.dash_clientside.set_props(store, { data: kept });
  };
  // Files of a drop, with those of its folders, in the order of their names; hidden files are left out.
  const filesOf = async (entry) => {
    if (entry.name.startsWith(".")) return [];
    if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
    const reader = entry.createReader(), found = [];
    for (;;) {  // a reader gives a hundred at a time
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) break;
      found.push(...some);
    }
    found.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    return (await Promise.all(found.map(filesOf))).flat();
  };
  const makeField = (place) => {
    const input = Object.assign(document.createElement("input"), { type: "file", id: place.dataset.store + "-field" });
    const label = Object.assign(document.createElement("label"), { htmlFor: input.id, textContent: place.dataset.label });
    input.multiple = !!place.dataset.several;
    input.addEventListener("change", () => { send(place, Array.from(input.files)); input.value = ""; });
    place.append(label, input);
    const drop = place.closest(".drop");
    drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      // Entries are there during the event only, so all are taken before the first is read.
      const entries = Array.from(event.dataTransfer.items || [], (item) => item.webkitGetAsEntry()).filter(Boolean);
      const files = Array.from(event.dataTransfer.files || []);
      Promise.all(entries.map(filesOf)).then((found) => send(place, entries.length ? found.flat() : files));
    });
  };
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => event.preventDefault());

  new MutationObserver(() => {
    $(".file:empty").forEach(makeField);
    // Dash calls its choices options of a list, and puts radio buttons into them; these are choices enough.
    $('[role="option"], [role="listbox"]').filter((each) => each.querySelector("input")).forEach((each) => {
      ["role", "aria-selected", "aria-multiselectable"].forEach((name) => each.removeAttribute(name));
    });
    $("label[aria-selected]").forEach((each) => each.removeAttribute("aria-selected"));
    const tabs = $('[role="tab"]');
    if (tabs.length && !tabs[0].dataset.ready) {
      tabs[0].dataset.ready = "1";
      (document.getElementById("tab-" + location.hash.slice(1)) || tabs[0]).click();
    }
  }).observe(document, { childList: true, subtree: true, attributeFilter: ["aria-selected", "role"] });

  // Buttons that need no server.
  document.addEventListener("click", (event) => {
    const button = event.target.closest('[role="tab"], [data-copy], [data-image]');
    if (!button) return;
    if (button.getAttribute("role") === "tab") choose(button);
    if (button.dataset.copy) {
      const told = button.textContent;
      navigator.clipboard.writeText(button.dataset.copy).then(() => { button.textContent = "Copied"; });
      setTimeout(() => { button.textContent = told; }, 1500);
    }
    if (button.dataset.image) {
      const figure = document.querySelector(`#${button.dataset.graph} .js-plotly-plot`);
      const filename = button.dataset.graph;
      if (figure) window.Plotly.downloadImage(figure, { format: button.dataset.image, filename, width: 900, height: 560 });
    }
  });

  // A site that is pointed at, in its table or in the cell, lights up its spectrum: traces say theirs in `meta.site`.
  let lit = null;
  const light = (site) => {
    if (site === lit) return;
    lit = site;
    $('[data-lights] .js-plotly-plot').forEach((figure) => {
      // A row of a result names its job, as `job:site`; a row of the structure stands for that site of every result.
      const same = (trace) => !!site && !!trace.meta && !!trace.meta.site &&
        (trace.meta.site === site || trace.meta.site.endsWith(":" + site));
      const there = figure.data.some(same);
      const lines = figure.data.map((trace, k) => [trace, k]).filter(([trace]) => trace.meta && trace.meta.width);
      if (!lines.length) return;
      const own = ([trace]) => same(trace);
      window.Plotly.restyle(figure, {
        opacity: lines.map((each) => (!there || own(each) ? 1 : 0.2)),
        "line.width": lines.map((each) => each[0].meta.width * (there && own(each) ? 2 : 1)),
      }, lines.map(([, k]) => k));
    });
    $("[data-site]").forEach((row) => row.classList.toggle("lit", row.dataset.site === site));
  };
  const pointed = (event) => {
    const row = event.target.closest && event.target.closest("[data-site]");
    if (row) light(row.dataset.site); else if (event.type !== "focusin" && !event.target.closest("[data-cell]")) light(null);
  };
  document.addEventListener("mouseover", pointed);
  document.addEventListener("focusin", pointed);
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    page: {
      light: ([hover]) => {
        const point = hover && hover.points && hover.points[0];
        if (point && point.customdata) light(String(point.customdata));
      },
    },
  });
})();
