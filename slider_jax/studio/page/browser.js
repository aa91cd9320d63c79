// The page of `slider studio --browser`. The server opens a face; the page edits it.
import { frames, get, keep, post } from "./api.js";
import { loadNetwork } from "./network.js";
import { feathered, makePaster, smooth } from "./paste.js";
import { withRecord } from "./record.js";
import { makeSliders, partner } from "./sliders.js";
import * as stage from "./stage.js";
import { count, guarded, say } from "./stage.js";

const $ = (id) => document.getElementById(id);
const canvas = $("result"), context = canvas.getContext("2d", { willReadFrequently: true });
const story = (face) => ({ face, steps: [{}] });

let network, sliders, model;
let tab = null, file = null, photo = null, info = null;
let faces = [], face = null; // those that were opened, and the one under the sliders
let held = null;

// ---- what is asked of the face -----------------------------------------------------
const tidy = (vector) => vector.map((v) => Math.round(1e6 * Math.max(-1, Math.min(1, v))) / 1e6);
const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, weight, j) => sum + weight * vector[j], 0));
// As slider_jax/face/requests.py for named sliders: what is not named stays as it is.
function vectorOf({ look, request, names, components_of }) {
  const change = names.map((name) => (name in request ? request[name] - look.sliders[name] : 0));
  const step = times(components_of, change);
  return tidy(look.vector.map((v, i) => v + (step[i] ?? 0)));
}
// As Session._wear: the change fades in with its length. Null where nothing is asked.
async function imagine(on, vector) {
  const distance = Math.hypot(...vector.map((v, i) => v - on.looks.measured.vector[i]));
  if (!distance) return null;
  const seen = on.flipped ? tidy(times(on.mirror, vector)) : vector;
  const { edited, mask, flow } = await network(on.crop, on.size, seen), share = smooth(distance / on.fade);
  return {
    change: edited.map((v, i) => 127.5 * share * (v - on.crop[i])), mask: feathered(mask, on.size, on.open),
    before: on.levels, flow: flow.map((v) => share * v),
  };
}
function put({ paster, before, after }, edit) {
  const changed = edit ? paster.paste(before.data, after.data, edit) : 0;
  context.putImageData(edit ? after : before, paster.x, paster.y);
  return changed;
}

// One picture at a time; what moved meanwhile is drawn next.
let wanted = false, busy = false, number = 0;
function draw() { wanted = true; if (!busy) pump(); }
async function pump() {
  busy = true;
  count(1);
  while (wanted && face) {
    wanted = false;
    const on = face, started = performance.now(), vector = vectorOf(on);
    try {
      const edit = await imagine(on, vector), painted = performance.now();
      if (on !== face) continue;
      Object.assign(on, { edit, vector });
      const changed = put(on, edit), ended = performance.now();
      const part = changed ? `${(100 * changed / (info.width * info.height)).toFixed(1)} % of the photo changed` : "identical to the photo";
      $("status").textContent = `${part} · model ${(painted - started).toFixed(0)} ms · ${(ended - started).toFixed(0)} ms in all`;
      document.body.dataset.shown = ++number;
    } catch (error) { say(`The model stopped (${error.message}): load this page again.`); }
  }
  busy = false;
  count(-1);
}
function change(look, request) {
  Object.assign(face, { look, request });
  sliders.show({ ...look.sliders, ...request }, request, held);
  draw();
}

// ---- a photo, a face -----------------------------------------------------------------
const pick = guarded(async (i) => {
  faces[i] ??= await openFace(i);
  face = faces[i];
  stage.showFaces(info, i, pick);
  // The photo with the other faces as they are: what this one is painted on.
  context.drawImage(photo, 0, 0);
  const look = ({ x, y, width, height }) => context.getImageData(x, y, width, height);
  for (const other of faces.filter((f) => f?.edit && f !== face)) put(Object.assign(other, { before: look(other.paster) }), other.edit);
  face.before = look(face.paster);
  sliders.mark(face.looks.measured.sliders);
  change(face.look, face.request);
});
async function openFace(i) {
  const answer = await frames(await post("face", { tab, story: story(i) }));
  const bytes = new Uint8Array(await answer.files[0].arrayBuffer());
  const paster = makePaster(info.width, info.height, answer);
  const after = new ImageData(paster.width, paster.height);
  const crop = Float32Array.from(bytes, (v) => v / 127.5 - 1);
  return { ...answer, crop, levels: bytes, paster, after, look: answer.looks.measured, request: {}, edit: null };
}
// The browser's own reading of the file; the server's where it cannot.
async function read(chosen, opened, of) {
  const own = await createImageBitmap(chosen).catch(() => null);
  if (own?.width === opened.width && own.height === opened.height) return own;
  const answer = await post("download", { tab: of, story: story(0), format: "PNG" });
  return createImageBitmap(await answer.blob());
}
const openPhoto = guarded(async (chosen, box = null) => {
  if (!chosen || !network) return;
  const said = $("status").textContent;
  $("status").textContent = "Looking for faces…";
  try {
    const { tab: made } = await (await post("tab", {})).json();
    const more = box ? `&box=${box.map((v) => v.toFixed(5))}` : "";
    const answer = await post(`photo?tab=${made}&name=${encodeURIComponent(chosen.name)}${more}`, chosen);
    const opened = await answer.json();
    photo = await read(chosen, opened, made);
    [tab, info, file, faces, face] = [made, opened, chosen, [], null];
  } catch (error) {
    $("status").textContent = said;
    if (error.status === 422) await offerBox(chosen);
    throw error;
  }
  show(photo);
  enable(true);
  await pick(0);
});
function show(picture) {
  delete document.body.dataset.empty;
  stage.showPhoto();
  stage.paint(canvas, picture);
  stage.layOut(picture);
}
function enable(yes) {
  sliders.enable(yes);
  for (const id of ["compare", "download", "neutralise", "measured"]) $(id).disabled = !yes;
}
// Where no face was found, a person draws the box.
async function offerBox(chosen) {
  const picture = await createImageBitmap(chosen).catch(() => null);
  if (!picture) return;
  face = null;
  enable(false);
  show(picture);
  stage.showFaces({ faces: [] });
  stage.drawBox((box) => openPhoto(chosen, box));
}
new ResizeObserver(() => stage.layOut(canvas)).observe($("stage"));

const download = guarded(async () => {
  const png = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const edited = faces.filter((f) => f?.edit);
  const records = edited.map(({ record, look, request, looks, vector }) => {
    const now = { ...look.sliders, ...request }, was = looks.measured.sliders;
    const moved = Object.entries(now).filter(([name, value]) => value !== was[name]);
    return { ...record, sliders: Object.fromEntries(moved.map(([n, v]) => [n, Number(v.toFixed(3))])), expression: vector };
  });
  const last = records.length > 1 ? { ...records.at(-1), earlier: records.slice(0, -1) } : records[0];
  keep(last ? await withRecord(png, last) : png, `${file.name.replace(/\.[^.]*$/, "")}.edited.png`);
});

// ---- hands ---------------------------------------------------------------------------
const on = {
  move(name, value, how) {
    if (how !== "key") held = name;
    const other = $("both").checked ? partner(name) : name;
    change(face.look, { ...face.request, [name]: value, [other]: value });
  },
  rest() { held = null; },
  clear(name) {
    const names = $("both").checked ? [name, partner(name)] : [name];
    change(face.look, Object.fromEntries(Object.entries(face.request).filter(([n]) => !names.includes(n))));
  },
};
const wear = (name) => face && change(face.looks[name], {});
const choose = () => { $("file").value = ""; $("file").click(); };
$("open").onclick = $("open2").onclick = choose;
$("file").onchange = (e) => openPhoto(e.target.files[0]);
$("example").onclick = guarded(async () => {
  const answer = await fetch("/example.jpg");
  await openPhoto(new File([await answer.blob()], "example.jpg"));
});
$("download").onclick = download;
$("neutralise").onclick = () => wear("neutral");
$("measured").onclick = () => wear("measured");
$("compare").onpointerdown = () => face && put(face, null);
$("compare").onpointerup = $("compare").onpointerleave = () => face && put(face, face.edit);
stage.listen((taken) => openPhoto(taken));
addEventListener("keydown", (key) => {
  const writing = key.target.matches("input:not([type=range])");
  if (key.key === "0" && !writing && !key.ctrlKey && !key.metaKey && !key.altKey) wear("neutral");
});

// ---- begin ---------------------------------------------------------------------------
const begin = guarded(async () => {
  model = await (await get("model")).json();
  sliders = makeSliders({ ...model, visemes: [], components: [] }, on);
  for (const name of model.emotions.filter((e) => e !== "neutral")) {
    const button = document.createElement("button");
    button.textContent = name[0].toUpperCase() + name.slice(1);
    button.dataset.emotion = name;
    button.onclick = () => wear(name);
    $("emotions").append(button);
  }
  enable(false);
  $("status").textContent = "Loading the model…";
  try { network = await loadNetwork(); }
  catch (error) { $("status").textContent = error.message; throw error; }
  $("status").textContent = "";
  for (const id of ["open", "open2", "example"]) $(id).disabled = false;
  const kind = model.default ? "the model that came with the package" : "your model";
  $("model").textContent = `Faces are ${model.size} px wide, painted by ${kind} (${model.model}).`;
  document.body.dataset.ready = "";
});
begin();
