// The edit record in a PNG, as XMP in an iTXt chunk: where `slider` and other programs look.

const NAMESPACE = "https://slider-jax.invalid/record/"; // a name, nothing to visit

function checksum(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let k = 0; k < 8; k++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum;
}
export async function withRecord(png, record) {
  const safe = JSON.stringify(record).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
    `<rdf:Description rdf:about="" xmlns:slider="${NAMESPACE}"><slider:edit>${safe}</slider:edit></rdf:Description></rdf:RDF></x:xmpmeta>`;
  const body = new TextEncoder().encode(`iTXtXML:com.adobe.xmp\0\0\0\0\0${xmp}`);
  const number = (value) => { const four = new DataView(new ArrayBuffer(4)); four.setInt32(0, value); return four; };
  const head = 33; // the signature and IHDR, which comes first
  return new Blob([png.slice(0, head), number(body.length - 4), body, number(checksum(body)), png.slice(head)], { type: "image/png" });
}
