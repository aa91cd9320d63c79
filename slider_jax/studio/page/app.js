// The page: a story, its history, and what is seen of it.
import { Refused, frames, get, keep, post } from "./api.js";
import { makeHead } from "./head.js";
import { makeSliders, partner } from "./sliders.js";
import * as stage from "./stage.js";
import { count, guarded, paint, say } from "./stage.js";

const $ = (id) => document.getElementById(id);
const EMPTY = { face: 0, steps: [{}] };
const MOST = 200; // states in the history
const PRESETS = "slider studio presets";

let tab = null, file = null, info = null, box = null;
let story = EMPTY, history = [EMPTY], at = 0;
let last = null; // the last answer of `render`
let held = null, touched = "jawOpen";
let model, sliders, poseHead = () => {};

// ---- the story -------------------------------------------------------------------
const layer = () => story.steps.at(-1)[story.face] ?? { start: null, request: {} };
const withLayer = (made) => ({
  ...story,
  steps: [...story.steps.slice(0, -1), { ...story.steps.at(-1), [story.face]: made }],
});

function go(next, how = "done") {
  story = next;
  if (how === "done") remember();
  draw();
}
let keyed = 0;
function remember(merge = false) {
  if (story === history[at]) return;
  if (merge && Date.now() - keyed < 900 && at > 0) history.length = at; // one move of many keys
  else history.length = at + 1;
  history.push(story);
  if (history.length > MOST) history.shift();
  at = history.length - 1;
  if (merge) keyed = Date.now();
  else keyed = 0;
  buttons();
}
function step(way) {
  remember(); // what is still under the hand
  if (!history[at + way]) return;
  story = history[(at += way)];
  keyed = 0;
  buttons();
  showFaces();
  draw();
}
function buttons() {
  $("undo").disabled = at === 0;
  $("redo").disabled = at >= history.length - 1;
  for (const id of ["wipe", "mask", "download", "neutralise", "mirror", "random", "measured", "transfer", "apply", "strip", "gif", "command", "store"])
    $(id).disabled = !info;
}

// ---- asking ----------------------------------------------------------------------
// A tab that has expired is opened again, with the same photo, once.
async function alive(work) {
  try { return await work(); }
  catch (error) {
    if (error.status !== 410 || !file) throw error;
    tab = (await (await post("tab", {})).json()).tab;
    await sendPhoto();
    return work();
  }
}
const about = (more = {}) => ({ tab, story, ...more });
const askFor = (path, more) => alive(() => post(path, about(more)));

const sendPhoto = async () => {
  const more = box ? `&box=${box.map((v) => v.toFixed(5))}` : "";
  return (await post(`photo?tab=${tab}&name=${encodeURIComponent(file.name)}${more}`, file)).json();
};

let wanted = false, busy = false, number = 0;
function draw() { wanted = true; if (!busy) pump(); }
// One request at a time; what moved meanwhile is asked for next, so nothing queues up.
async function pump() {
  busy = true;
  count(1);
  while (wanted && info) {
    wanted = false;
    const asked = story, started = performance.now(), painted = pressed("mask");
    try {
      const answer = await frames(await askFor("render", { seq: ++number, side: side(), mask: painted }));
      const [picture, mask] = await Promise.all(answer.files.map((f) => createImageBitmap(f)));
      if (asked.face !== story.face && wanted) continue;
      show(answer, picture, mask, performance.now() - started, asked !== story);
    } catch (error) { if (error.status !== 409) say(error); }
  }
  busy = false;
  count(-1);
}
const side = () => Math.ceil(Math.max(...stage.fit(info)) * Math.min(devicePixelRatio, 2));

// ---- showing ---------------------------------------------------------------------
// `late`: the story went on meanwhile, so that sliders stay where hands have put them.
function show(answer, picture, mask, took, late) {
  last = answer;
  paint($("result"), picture);
  $("painted").hidden = !mask;
  if (mask) paint($("painted"), mask);
  const values = { ...answer.shown };
  model.components.forEach((name, i) => { values[name] = answer.vector[i]; });
  const measured = { ...answer.measured };
  model.components.forEach((name, i) => { measured[name] = answer.measured_vector[i]; });
  for (const name of model.visemes) { values[name] = layer().request[name] ?? 0; }
  const asked = layer().request;
  for (const name in asked) if (name in values && (late || (held && (name === held || name === partner(held))))) values[name] = asked[name];
  sliders.show(values, asked, held);
  sliders.mark(measured);
  poseHead(held ? { ...answer.shown, ...layer().request } : answer.shown);
  const part = answer.changed ? `${(100 * answer.changed).toFixed(1)} % of the photo changed` : "identical to the photo";
  $("status").textContent = `${part} · model ${answer.ms.model.toFixed(0)} ms · ${took.toFixed(0)} ms in all`;
  document.body.dataset.shown = answer.seq;
  const key = JSON.stringify([story.face, story.steps.slice(0, -1)]);
  if (key !== ends.key) { ends.key = key; ends.done.clear(); watchEnds(); }
}
const layOut = () => stage.layOut(info);
new ResizeObserver(() => { layOut(); clearTimeout(layOut.timer); layOut.timer = setTimeout(() => info && (draw(), before()), 250); }).observe($("stage"));

async function before() {
  const answer = await alive(() => post("original", { tab, side: side() }));
  paint($("before"), await createImageBitmap(await answer.blob()));
}
const showFaces = () =>
  stage.showFaces(info, story.face, (i) => { go({ ...story, face: i }); showFaces(); });

// ---- a photo ---------------------------------------------------------------------
const openPhoto = guarded(async (chosen, found = null, restored = null) => {
  if (!chosen) return;
  $("status").textContent = "Looking for faces…";
  const [oldFile, oldBox] = [file, box];
  [file, box] = [chosen, found];
  try {
    const opened = await alive(sendPhoto);
    info = opened;
  } catch (error) {
    if (error.status === 422) offerBox(chosen);
    else [file, box] = [oldFile, oldBox];
    $("status").textContent = "";
    throw error;
  }
  history = restored?.history ?? [EMPTY];
  at = Math.min(restored?.at ?? 0, history.length - 1);
  story = history[at];
  delete document.body.dataset.empty;
  stage.showPhoto();
  ends.key = null;
  sliders.enable(true);
  layOut();
  showFaces();
  buttons();
  draw();
  await before();
});

// Where no face was found, or the wrong one, a person draws the box.
async function offerBox(chosen) {
  const picture = await createImageBitmap(chosen).catch(() => null);
  if (!picture) return;
  info = null;
  buttons();
  sliders.enable(false);
  const looked = { width: picture.width, height: picture.height, faces: [] };
  stage.showPhoto();
  $("painted").hidden = true;
  stage.layOut(looked);
  stage.showFaces(looked);
  paint($("result"), picture);
  paint($("before"), picture);
  drawBox();
}
const drawBox = () => stage.drawBox((found) => openPhoto(file, found));

// ---- whole expressions -----------------------------------------------------------
const amount = () => Number($("amount").value);
const blend = guarded(async (wanted) => {
  const answer = await askFor("blend", { wanted, amount: amount(), region: $("region").value, side: side() });
  const { vector } = await answer.json();
  go(withLayer({ start: vector, request: {} }));
});
// An emotion on the whole face stays a name, so that the command line can say it.
const wear = (name) =>
  $("region").value === "all" ? go(withLayer({ start: null, request: { [name]: amount() } })) : blend({ [name]: 1 });
const neutral = () => info && wear("neutral");
const mirror = () => {
  const vector = model.mirror.map((row) => row.reduce((sum, m, j) => sum + m * last.vector[j], 0));
  go(withLayer({ start: vector.map((v) => Math.max(-1, Math.min(1, v))), request: {} }));
};
const random = guarded(async () => {
  const answer = await askFor("random", { seed: Math.floor(Math.random() * 2 ** 32) });
  const { request } = await answer.json();
  if ($("region").value === "all" && amount() === 1) go(withLayer({ start: null, request }));
  else blend(request);
});
const transfer = guarded(async (chosen) => {
  if (!chosen) return;
  const answer = await alive(() => post(`transfer?tab=${tab}&name=${encodeURIComponent(chosen.name)}`, chosen));
  await blend((await answer.json()).vector);
});

const presets = () => { try { return JSON.parse(localStorage.getItem(PRESETS)) ?? {}; } catch { return {}; } };
function showPresets(all = presets()) {
  try { localStorage.setItem(PRESETS, JSON.stringify(all)); } catch { /* private window: kept until it closes */ }
  const mine = Object.entries(all).filter(([, vector]) => vector.length === model.components.length);
  $("presets").replaceChildren(...mine.map(([name, vector]) => {
    const whole = document.createElement("span"), use = document.createElement("button"), drop = document.createElement("button");
    whole.className = "preset";
    use.textContent = name;
    use.onclick = () => info && blend(vector);
    drop.textContent = "×";
    drop.ariaLabel = `Forget ${name}`;
    drop.onclick = () => { const rest = presets(); delete rest[name]; showPresets(rest); };
    whole.append(use, drop);
    return whole;
  }));
}

// ---- files -----------------------------------------------------------------------
const stem = () => file.name.replace(/\.[^.]*$/, "");
const download = guarded(async () => {
  $("download").disabled = true;
  try {
    const answer = await askFor("download", { format: $("format").value });
    const kind = answer.headers.get("content-type").split("/")[1].replace("jpeg", "jpg").replace("tiff", "tif");
    keep(await answer.blob(), `${stem()}.edited.${kind}`);
  } finally { buttons(); }
});
const strip = guarded(async () => keep(await (await askFor("strip", { name: touched, steps: 7 })).blob(), `${stem()}.${touched}.png`));
const gif = guarded(async () => keep(await (await askFor("gif")).blob(), `${stem()}.gif`));
const command = guarded(async () => {
  const { command: text } = await (await askFor("command", { name: file.name })).json();
  document.body.dataset.command = text;
  await navigator.clipboard.writeText(text).catch(() => {});
  say(`Copied: ${text}`, 12);
});
const store = guarded(async () => {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  const whole = { slider_session: 1, model: model.model, name: file.name, box, at, history: history.slice(-MOST), photo: btoa(text) };
  keep(new Blob([JSON.stringify(whole)], { type: "application/json" }), `${stem()}.session.json`);
});
const restore = guarded(async (chosen) => {
  if (!chosen) return;
  let whole, bytes;
  try {
    whole = JSON.parse(await chosen.text());
    bytes = Uint8Array.from(atob(whole.photo), (c) => c.charCodeAt(0));
    if (whole.slider_session !== 1 || !Array.isArray(whole.history) || !whole.history.length) throw 0;
  } catch { throw new Error(`${chosen.name} is no session of this studio.`); }
  if (whole.model !== model.model) say("This session was made with another model: faces may look different.");
  await openPhoto(new File([bytes], whole.name), whole.box, whole);
});
const apply = () => {
  if (!Object.keys(story.steps.at(-1)).length) return;
  if (story.steps.length >= 32) return say("That was applied often enough: download, and open what you saved.");
  go({ ...story, steps: [...story.steps, {}] });
};

// ---- the ends of components, when they come into view ---------------------------------
const ends = { key: null, done: new Set(), queue: [], running: false };
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) ends.queue.push(target.dataset.component);
  drawEnds();
});
function watchEnds() {
  seen.disconnect();
  for (const name of model.components) {
    const [canvas] = sliders.rows.get(name).ends;
    canvas.dataset.component = name;
    seen.observe(canvas);
  }
}
async function drawEnds() {
  if (ends.running) return;
  ends.running = true;
  while (ends.queue.length && info) {
    while (busy || held) await new Promise((done) => setTimeout(done, 60)); // hands come first
    const name = ends.queue.shift(), key = ends.key;
    if (ends.done.has(name)) continue;
    try {
      const { files } = await frames(await askFor("thumbs", { component: name }));
      if (key !== ends.key) continue;
      ends.done.add(name);
      files.forEach(async (f, i) => {
        const picture = await createImageBitmap(f);
        paint(sliders.rows.get(name).ends[i], picture);
      });
    } catch { break; }
  }
  ends.running = false;
}

// ---- hands -----------------------------------------------------------------------
const pressed = (id) => $(id).getAttribute("aria-pressed") === "true";
function toggle(id) {
  $(id).setAttribute("aria-pressed", !pressed(id));
  if (id === "mask") draw();
  if (id === "wipe") wipeTo(wipeTo.share ?? 0.5);
}
function wipeTo(share) {
  wipeTo.share = Math.max(0, Math.min(1, share));
  const on = pressed("wipe"), percent = 100 * wipeTo.share;
  $("before").style.visibility = on ? "visible" : "hidden";
  $("before").style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
  $("handle").hidden = !on;
  $("handle").style.left = `${percent}%`;
  $("handle").setAttribute("aria-valuenow", Math.round(percent));
}
$("handle").addEventListener("pointerdown", (down) => {
  down.preventDefault();
  $("handle").setPointerCapture(down.pointerId);
  const room = $("picture").getBoundingClientRect();
  $("handle").onpointermove = (move) => wipeTo((move.clientX - room.left) / room.width);
  $("handle").onpointerup = () => { $("handle").onpointermove = null; };
});
$("handle").addEventListener("keydown", (key) => {
  const way = { ArrowLeft: -1, ArrowRight: 1 }[key.key];
  if (way) { key.preventDefault(); wipeTo(wipeTo.share + way * (key.shiftKey ? 0.1 : 0.01)); }
});

const on = {
  move(name, value, how) {
    touched = name;
    if (how !== "key") held = name;
    const other = $("both").checked ? partner(name) : name;
    const { start, request } = layer();
    story = withLayer({ start, request: { ...request, [name]: value, [other]: value } });
    if (other !== name) sliders.rows.get(other).show(value);
    if (how === "key") remember(true);
    draw();
  },
  rest() {
    if (!held) return;
    held = null;
    remember();
    draw();
  },
  clear(name) {
    const { start, request } = layer();
    const rest = Object.fromEntries(Object.entries(request).filter(([n]) => n !== name && !($("both").checked && n === partner(name))));
    go(withLayer({ start, request: rest }));
  },
};

const pick = (id) => () => { $(id).value = ""; $(id).click(); };
const clicks = {
  open: pick("file"), open2: pick("file"), transfer: pick("second"), restore: pick("session"),
  undo: () => step(-1), redo: () => step(1), wipe: () => toggle("wipe"), mask: () => toggle("mask"),
  neutralise: neutral, mirror, random, measured: () => go(withLayer({ start: null, request: {} })),
  download, strip, gif, command, store, apply, byhand: () => file && drawBox(),
};
for (const [id, work] of Object.entries(clicks)) $(id).onclick = work;
$("file").onchange = (e) => openPhoto(e.target.files[0]);
$("second").onchange = (e) => transfer(e.target.files[0]);
$("session").onchange = (e) => restore(e.target.files[0]);
$("amount").oninput = () => { $("amount").nextElementSibling.textContent = `${Math.round(100 * amount())} %`; };
$("keep").onsubmit = (event) => {
  event.preventDefault();
  const name = $("preset").value.trim();
  if (!name || !last) return;
  showPresets({ ...presets(), [name]: last.vector });
  $("preset").value = "";
};
for (const kind of ["named", "components"])
  $(`tab-${kind}`).onclick = () => {
    for (const other of ["named", "components"]) {
      $(other).hidden = other !== kind;
      $(`tab-${other}`).setAttribute("aria-selected", other === kind);
    }
  };
stage.listen((taken) => (taken.name.endsWith(".json") ? restore(taken) : openPhoto(taken)));
addEventListener("keydown", (key) => {
  const writing = key.target.matches("input:not([type=range]), select, textarea");
  if (writing || key.altKey) { if (key.key === "Escape") key.target.blur(); return; }
  const letter = key.key.toLowerCase();
  if (letter === "z") { key.preventDefault(); step(key.shiftKey ? 1 : -1); }
  else if (key.ctrlKey || key.metaKey) return;
  else if (letter === "0") { key.preventDefault(); neutral(); }
  else if (letter === "w" && info) toggle("wipe");
  else if (letter === "m" && info) toggle("mask");
  else if (letter === "/") { key.preventDefault(); $("search").focus(); }
});

// ---- begin -----------------------------------------------------------------------
const begin = guarded(async () => {
  model = await (await get("model")).json();
  tab = (await (await post("tab", {})).json()).tab;
  sliders = makeSliders(model, on);
  for (const name of model.emotions.filter((e) => e !== "neutral")) {
    const button = document.createElement("button");
    button.textContent = name[0].toUpperCase() + name.slice(1);
    button.dataset.emotion = name;
    button.onclick = () => info && wear(name);
    $("emotions").append(button);
  }
  $("region").append(...["all", ...Object.keys(model.groups)].map((r) => new Option(r === "all" ? "whole face" : r, r)));
  showPresets();
  buttons();
  const kind = model.default ? "the model that came with the package" : "your model";
  $("model").textContent = `Faces are ${model.size} px wide, painted by ${kind} (${model.model}).`;
  document.body.dataset.ready = "";
  try { poseHead = await makeHead($("head")); if (last) poseHead(last.shown); }
  catch (error) { if (!(error instanceof Refused)) say(error); }
});
begin();
