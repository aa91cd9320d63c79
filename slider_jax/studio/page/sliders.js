// The panel: sliders in groups, components with their ends, and the search.

const words = (name) => name
  .replace(/^viseme_/, "").replace(/_/g, " ")
  .replace(/(Left|Right)$/, (side) => ` · ${side[0]}`)
  .replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase()
  .replace(/^./, (c) => c.toUpperCase()).replace(/· [lr]$/, (c) => c.toUpperCase());
export const partner = (name) =>
  name.endsWith("Left") ? name.slice(0, -4) + "Right" : name.endsWith("Right") ? name.slice(0, -5) + "Left" : name;

const element = (tag, props = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
};

// `on.move(name, value)` while it moves, `on.rest()` when it rests, `on.clear(name)`.
export function makeSliders(model, on) {
  const rows = new Map();

  function row(name, low, high, label = words(name)) {
    const input = element("input", { type: "range", min: low, max: high, step: 0.01, value: 0, id: `s-${name}` });
    input.dataset.name = name;
    const out = element("output"), tick = element("i", { hidden: true });
    const title = element("label", { htmlFor: input.id, textContent: label, title: `${name} (double click: back to the tick)` });
    const track = element("div", { className: "track" }, tick, input);
    const whole = element("div", { className: "slider" }, title, track, out);
    const show = (value) => { input.value = value; out.textContent = Number(value).toFixed(2); };
    input.addEventListener("input", () => { show(input.value); on.move(name, Number(input.value)); });
    for (const end of ["change", "pointerup", "pointercancel"]) input.addEventListener(end, () => on.rest());
    input.addEventListener("keydown", (key) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[key.key];
      if (!way || key.ctrlKey || key.metaKey || key.altKey) return;
      key.preventDefault();
      const value = Math.max(low, Math.min(high, Number(input.value) + way * (key.shiftKey ? 0.1 : 0.01)));
      show(value.toFixed(2));
      on.move(name, Number(input.value), "key");
    });
    title.addEventListener("dblclick", () => on.clear(name));
    const mark = (value) => {
      tick.hidden = value == null;
      const share = (value - low) / (high - low);
      tick.style.left = `calc(${(100 * share).toFixed(2)}% + ${(8 - 16 * share).toFixed(2)}px)`;
      tick.title = `Measured: ${Number(value).toFixed(2)}`;
    };
    rows.set(name, { whole, input, show, mark, out });
    return whole;
  }

  const named = document.querySelector("#named");
  const groups = { ...model.groups, speech: model.visemes };
  for (const [group, names] of Object.entries(groups)) {
    if (!names.length) continue;
    const open = group !== "nose" && group !== "speech";
    const head = element("summary", { textContent: group[0].toUpperCase() + group.slice(1) }, element("small", { textContent: names.length }));
    named.append(element("details", { open }, head, ...names.map((n) => row(n, 0, model.limits[n] ?? 1))));
  }
  const components = document.querySelector("#components");
  for (const name of model.components) {
    const line = row(name, -1, 1);
    line.classList.add("component");
    const { out } = rows.get(name), title = line.querySelector("label"), track = line.querySelector(".track");
    const ends = [-1, 1].map((value) => {
      const canvas = element("canvas", { width: 96, height: 96, title: `${name} at ${value}` });
      canvas.addEventListener("click", () => { on.move(name, value); on.rest(); });
      return canvas;
    });
    line.replaceChildren(ends[0], element("div", { className: "mid" }, title, out, track), ends[1]);
    rows.get(name).ends = ends;
    components.append(line);
  }

  const search = document.querySelector("#search");
  search.addEventListener("input", () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const [name, { whole }] of rows) {
      const text = ` ${name} ${words(name)} ${words(name.replace(/(Left|Right)$/, " $1"))}`.toLowerCase();
      whole.hidden = !asked.every((word) => text.includes(word.length > 2 ? word : ` ${word}`));
    }
    for (const group of named.children) {
      group.hidden = ![...group.querySelectorAll(".slider")].some((line) => !line.hidden);
      if (asked.length) group.open = true;
    }
  });

  const enable = (yes) => rows.forEach(({ input }) => { input.disabled = !yes; });
  enable(false);
  return {
    rows,
    enable,
    // `held` is under the hand and stays where it is.
    show(values, asked, held) {
      for (const [name, { show, whole }] of rows) {
        if (name !== held) show(values[name] ?? 0);
        whole.classList.toggle("asked", name in asked);
      }
    },
    mark(values) { rows.forEach(({ mark }, name) => mark(values[name])); },
  };
}
