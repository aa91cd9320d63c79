// Talking to the server: see the list of endpoints in slider_jax/studio/__init__.py.

export class Refused extends Error {
  constructor(status, sentence) { super(sentence); this.status = status; }
}

async function ask(path, init) {
  let answer;
  try { answer = await fetch("/api/" + path, init); }
  catch { throw new Refused(0, "The studio does not answer: is `slider studio` still running?"); }
  if (answer.ok) return answer;
  const sentence = await answer.json().then((j) => j.error, () => answer.statusText);
  throw new Refused(answer.status, sentence);
}

export const get = (path) => ask(path, {});
export const post = (path, body) =>
  ask(path, { method: "POST", body: body instanceof Blob ? body : JSON.stringify(body) });

// One JSON line with sizes, then the files.
export async function frames(answer) {
  const whole = new Uint8Array(await answer.arrayBuffer());
  const end = whole.indexOf(10);
  const head = JSON.parse(new TextDecoder().decode(whole.subarray(0, end)));
  let at = end + 1;
  head.files = head.sizes.map((size) => new Blob([whole.subarray(at, (at += size))]));
  return head;
}

export function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 30000);
}
