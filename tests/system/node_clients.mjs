// What Node's own clients see: node node_clients.mjs SCENARIO ORIGIN, a JSON object on stdout.

import http2 from "node:http2";
import { once } from "node:events";

const [scenario, origin] = process.argv.slice(2);

const collect = async (stream) => {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
};

const ask = (session, headers, body) => new Promise((resolve, reject) => {
  const stream = session.request(headers, { endStream: body === undefined });
  const seen = { interim: [], trailers: {} };
  stream.on("headers", (h) => seen.interim.push(h[":status"]));
  stream.on("response", (h) => Object.assign(seen, { status: h[":status"], server: h["x-server"] }));
  stream.on("trailers", (h) => Object.assign(seen.trailers, h));
  stream.on("error", reject);
  collect(stream).then((body) => resolve({ ...seen, bytes: body.length }), reject);
  if (body !== undefined) stream.end(body);
});

const scenarios = {
  async streams(session) {
    const paths = Array.from({ length: 80 }, (_, n) => `/bytes/${n * 1000}`);
    const answers = await Promise.all(paths.map((path) => ask(session, { ":path": path })));
    return { statuses: [...new Set(answers.map((a) => a.status))], sizes: answers.map((a) => a.bytes) };
  },

  async upload(session) {
    const headers = { ":method": "POST", ":path": "/echo" };
    return ask(session, headers, Buffer.alloc(3_000_000, 7));
  },

  async trailers(session) {
    return ask(session, { ":path": "/trailers", te: "trailers" });
  },

  async early(session) {
    return ask(session, { ":path": "/early" });
  },

  async cancel(session) {
    const stream = session.request({ ":path": "/hang" });
    stream.on("error", () => {});
    setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), 50);
    await once(stream, "close");
    return ask(session, { ":path": "/" });
  },

  async tunnel(session) {
    if (!session.remoteSettings.enableConnectProtocol) await once(session, "remoteSettings");
    const stream = session.request({
      ":method": "CONNECT", ":protocol": "websocket", ":path": "/echo",
      "sec-websocket-version": "13",
    }, { endStream: false });
    const [head] = await once(stream, "response");
    // A text of two bytes, masked with zeros.
    stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    const [piece] = await once(stream, "data");
    stream.close();
    return { status: head[":status"], echo: piece.toString("hex") };
  },

  async goaway(session) {
    const slow = ask(session, { ":path": "/delay/500" });
    console.error("asked");
    const [code] = await once(session, "goaway");
    return { code, ...(await slow) };
  },
};

const fetching = {
  async get() {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => fetch(`${origin}/bytes/${n}`)));
    const bodies = await Promise.all(answers.map((a) => a.arrayBuffer()));
    return { statuses: [...new Set(answers.map((a) => a.status))], sizes: bodies.map((b) => b.byteLength) };
  },

  async post() {
    const answer = await fetch(`${origin}/echo`, { method: "POST", body: Buffer.alloc(500_000, 7) });
    return { status: answer.status, bytes: (await answer.arrayBuffer()).byteLength };
  },

  async events() {
    const answer = await fetch(`${origin}/events`, { headers: { accept: "text/event-stream" } });
    console.error("asked");
    const seen = [];
    for await (const piece of answer.body) seen.push(Buffer.from(piece).toString());
    return { type: answer.headers.get("content-type"), seen };
  },

  async abort() {
    const gone = new AbortController();
    setTimeout(() => gone.abort(), 50);
    const name = await fetch(`${origin}/delay/1000`, { signal: gone.signal }).catch((error) => error.name);
    const after = await fetch(`${origin}/`);
    return { name, status: after.status };
  },
};

const run = async () => {
  if (scenario in fetching) return fetching[scenario]();
  const session = http2.connect(origin);
  const result = await scenarios[scenario](session);
  session.close();
  return result;
};

console.log(JSON.stringify(await run()));
process.exit(0);
