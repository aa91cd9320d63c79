// What both pages do around a photo: how it lies there, its faces, a box by hand, words.

const $ = (id) => document.getElementById(id);

export function say(error, seconds = 7) {
  const toast = $("toast");
  toast.textContent = error.message ?? error;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.hidden = true; }, 1000 * seconds);
}
let pending = 0;
export function count(change) {
  pending += change;
  document.body.toggleAttribute("data-busy", pending > 0);
}
export const guarded = (work) => async (...args) => {
  count(1);
  try { return await work(...args); } catch (error) { say(error); } finally { count(-1); }
};

export function paint(canvas, picture) {
  if (canvas.width !== picture.width || canvas.height !== picture.height)
    [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0);
}
export function fit(info) {
  const room = $("stage").getBoundingClientRect(), pad = 28;
  const scale = Math.min((room.width - pad) / info.width, (room.height - pad - 26) / info.height);
  const scaled = Math.max(scale, 0.01);
  return [info.width * scaled, info.height * scaled];
}
export function layOut(info) {
  if (!info) return;
  const [w, h] = fit(info);
  Object.assign($("picture").style, { width: `${w}px`, height: `${h}px` });
}
export function showPhoto() {
  $("drop").hidden = true;
  $("picture").hidden = false;
}
export function showFaces(info, chosen, pick) {
  $("faces").className = info.faces.length > 1 ? "" : "alone";
  $("faces").replaceChildren(...info.faces.map(({ box: [x0, y0, x1, y1] }, i) => {
    const button = document.createElement("button");
    button.title = `Face ${i + 1}`;
    button.setAttribute("aria-label", `Face ${i + 1}`);
    button.setAttribute("aria-pressed", i === chosen);
    const share = (v, whole) => `${(100 * v) / whole}%`;
    Object.assign(button.style, { left: share(x0, info.width), top: share(y0, info.height), width: share(x1 - x0, info.width), height: share(y1 - y0, info.height) });
    button.onclick = () => { if (i !== chosen) pick(i); };
    return button;
  }));
}

// A person draws the box around a face: `done([x, y, w, h])` in shares of the photo.
export function drawBox(done) {
  const area = $("picture"), frame = $("box");
  area.classList.add("drawing");
  $("status").textContent = "Draw a box around the face, from brow to chin.";
  area.onpointerdown = (down) => {
    down.preventDefault();
    area.setPointerCapture(down.pointerId);
    const room = area.getBoundingClientRect();
    const share = (e) => [(e.clientX - room.left) / room.width, (e.clientY - room.top) / room.height].map((v) => Math.max(0, Math.min(1, v)));
    const [x0, y0] = share(down);
    let now = [0, 0, 0, 0];
    area.onpointermove = (move) => {
      const [x1, y1] = share(move);
      now = [Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)];
      frame.hidden = false;
      ["left", "top", "width", "height"].forEach((side, i) => { frame.style[side] = `${100 * now[i]}%`; });
    };
    area.onpointerup = () => {
      area.onpointerdown = area.onpointermove = area.onpointerup = null;
      area.classList.remove("drawing");
      frame.hidden = true;
      if (now[2] > 0.01 && now[3] > 0.01) done(now);
    };
  };
}

// Files that are dropped or pasted, and the panels of a small screen.
export function listen(take) {
  const stage = $("stage");
  addEventListener("dragover", (e) => { e.preventDefault(); stage.classList.add("over"); });
  addEventListener("dragleave", (e) => { if (!e.relatedTarget) stage.classList.remove("over"); });
  addEventListener("drop", (e) => {
    e.preventDefault();
    stage.classList.remove("over");
    if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]);
  });
  addEventListener("paste", (e) => { if (e.clipboardData?.files[0]) take(e.clipboardData.files[0]); });
  for (const button of document.querySelectorAll("nav button"))
    button.onclick = () => {
      document.body.dataset.panel = button.dataset.show;
      document.querySelectorAll("nav button").forEach((b) => b.setAttribute("aria-pressed", b === button));
    };
}
