// The exported model, run by ONNX Runtime as WebAssembly.

export async function loadNetwork() {
  if (typeof WebAssembly !== "object")
    throw new Error("This browser has no WebAssembly, which runs the model: open the page in another one, or use `slider studio` without --browser.");
  const ort = await import("/ort/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.proxy = true; // in a worker, so that hands are not held up
  const session = await ort.InferenceSession.create("/model.onnx");
  // `crop` is [size * size * 3] in -1..1; so is `edited`, `mask` is [size * size] in 0..1, and `flow` [size * size * 2] in sides of the picture.
  return async (crop, size, vector) => {
    const { edited, mask, flow } = await session.run({
      image: new ort.Tensor("float32", crop.slice(), [1, size, size, 3]), // goes to the worker for good
      expression: new ort.Tensor("float32", Float32Array.from(vector), [1, vector.length]),
    });
    return { edited: edited.data, mask: mask.data, flow: flow.data };
  };
}
