// The 3D head: a mesh and 52 shapes, mixed here and drawn with WebGL.
import { get } from "./api.js";

const VERTEX = `
attribute vec3 place, normal; attribute vec2 uv; attribute float sky;
uniform vec2 turn; varying vec3 n; varying vec2 t; varying float s;
vec3 spin(vec3 p) {
  p = vec3(cos(turn.x) * p.x + sin(turn.x) * p.z, p.y, cos(turn.x) * p.z - sin(turn.x) * p.x);
  return vec3(p.x, cos(turn.y) * p.y - sin(turn.y) * p.z, sin(turn.y) * p.y + cos(turn.y) * p.z);
}
void main() {
  vec3 p = spin(place); n = spin(normal); t = uv; s = sky;
  float w = 1.0 - p.z / 700.0;
  gl_Position = vec4(p.x / 128.0, (p.y - 26.0) / 128.0, -p.z / 400.0, w);
}`;
const FRAGMENT = `
precision mediump float;
uniform sampler2D atlas; varying vec3 n; varying vec2 t; varying float s;
void main() {
  vec4 c = texture2D(atlas, t);
  vec3 m = normalize(n);
  vec3 key = clamp((vec3(dot(m, vec3(0.37, 0.45, 0.81))) + vec3(0.35, 0.22, 0.18)) / vec3(1.35, 1.22, 1.18), 0.0, 1.0);
  vec3 light = s * (0.42 + 0.14 * m.y + 0.72 * key);
  gl_FragColor = vec4(c.rgb * sqrt(light) * c.a, c.a);
}`;

export async function makeHead(canvas) {
  const gl = canvas.getContext("webgl", { antialias: true, alpha: true });
  if (!gl) throw new Error("This browser has no WebGL, so the 3D head is not shown.");
  const [mesh, picture] = await Promise.all([
    get("head").then((a) => a.arrayBuffer()),
    fetch("/head.webp").then((a) => a.blob()).then((b) =>
      createImageBitmap(b, { premultiplyAlpha: "none", colorSpaceConversion: "none" })),
  ]);
  const size = new DataView(mesh).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(mesh, 4, size)));
  let at = 4 + size;
  const take = (Kind, name) => {
    const count = about.shapes[name].reduce((a, b) => a * b);
    const array = new Kind(mesh.slice(at, at + count * Kind.BYTES_PER_ELEMENT));
    at += count * Kind.BYTES_PER_ELEMENT;
    return array;
  };
  const mean = take(Int16Array, "mean"), units = take(Int16Array, "units");
  const triangles = take(Uint16Array, "triangles"), uv = take(Uint16Array, "uv");
  const sky = take(Uint8Array, "sky"), skies = new Uint8Array(triangles.length);
  triangles.forEach((v, i) => { skies[i] = sky[v]; });
  const index = new Map(about.sliders.map((name, i) => [name, i]));

  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const feed = (name, width, type, normalise) => {
    const buffer = gl.createBuffer(), where = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(where);
    gl.vertexAttribPointer(where, width, type, normalise, 0, 0);
    return (data, use) => { gl.bindBuffer(gl.ARRAY_BUFFER, buffer); gl.bufferData(gl.ARRAY_BUFFER, data, use); };
  };
  const setPlace = feed("place", 3, gl.FLOAT, false), setNormal = feed("normal", 3, gl.FLOAT, false);
  feed("uv", 2, gl.UNSIGNED_SHORT, true)(uv, gl.STATIC_DRAW);
  feed("sky", 1, gl.UNSIGNED_BYTE, true)(skies, gl.STATIC_DRAW);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  for (const [key, value] of [[gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]])
    gl.texParameteri(gl.TEXTURE_2D, key, value);
  gl.enable(gl.DEPTH_TEST);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  const turnAt = gl.getUniformLocation(program, "turn");

  const mixed = new Float32Array(mean.length), normals = new Float32Array(mean.length);
  const places = new Float32Array(3 * triangles.length), smooth = new Float32Array(3 * triangles.length);
  let turn = [0.25, 0.05], waiting = false, shape = {}, stale = true;

  function mix() {
    for (let i = 0; i < mean.length; i++) mixed[i] = mean[i] / about.fine;
    for (const [name, value] of Object.entries(shape)) {
      if (!value || !index.has(name)) continue;
      const start = index.get(name) * mean.length, share = value / about.fine;
      for (let i = 0; i < mean.length; i++) mixed[i] += share * units[start + i];
    }
    normals.fill(0);
    for (let t = 0; t < triangles.length; t += 3) {
      const a = 3 * triangles[t], b = 3 * triangles[t + 1], c = 3 * triangles[t + 2];
      const x1 = mixed[b] - mixed[a], y1 = mixed[b + 1] - mixed[a + 1], z1 = mixed[b + 2] - mixed[a + 2];
      const x2 = mixed[c] - mixed[a], y2 = mixed[c + 1] - mixed[a + 1], z2 = mixed[c + 2] - mixed[a + 2];
      const x = y1 * z2 - z1 * y2, y = z1 * x2 - x1 * z2, z = x1 * y2 - y1 * x2;
      for (const v of [a, b, c]) { normals[v] += x; normals[v + 1] += y; normals[v + 2] += z; }
    }
    for (let v = 0; v < normals.length; v += 3) {
      const length = Math.hypot(normals[v], normals[v + 1], normals[v + 2]) || 1;
      normals[v] /= length; normals[v + 1] /= length; normals[v + 2] /= length;
    }
    for (let t = 0; t < triangles.length; t++)
      for (let k = 0; k < 3; k++) {
        places[3 * t + k] = mixed[3 * triangles[t] + k];
        smooth[3 * t + k] = normals[3 * triangles[t] + k];
      }
    setPlace(places, gl.DYNAMIC_DRAW);
    setNormal(smooth, gl.DYNAMIC_DRAW);
    stale = false;
  }

  function draw() {
    waiting = false;
    if (stale) mix();
    const size = Math.round((canvas.clientWidth || 240) * Math.min(devicePixelRatio, 2));
    if (canvas.width !== size) canvas.width = canvas.height = size;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniform2fv(turnAt, turn);
    gl.enable(gl.CULL_FACE);
    gl.drawArrays(gl.TRIANGLES, 0, 3 * about.solid);
    gl.disable(gl.CULL_FACE); // lashes have two sides
    gl.drawArrays(gl.TRIANGLES, 3 * about.solid, triangles.length - 3 * about.solid);
    canvas.dataset.drawn = 1 + Number(canvas.dataset.drawn || 0);
  }
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };

  canvas.addEventListener("pointerdown", (down) => {
    canvas.setPointerCapture(down.pointerId);
    const [x, y] = turn;
    canvas.onpointermove = (move) => {
      turn = [x + (move.clientX - down.clientX) / 120, Math.max(-0.7, Math.min(0.7, y + (move.clientY - down.clientY) / 160))];
      soon();
    };
    canvas.onpointerup = canvas.onpointercancel = () => { canvas.onpointermove = null; };
  });
  canvas.addEventListener("dblclick", () => { turn = [0, 0]; soon(); });
  soon();
  return (sliders) => { shape = sliders; stale = true; soon(); };
}
