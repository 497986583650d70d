// A web page that shows runs live, and starts a run for each push.
//
//   node live.js /srv/git/app.git [PORT]          then open the address that it prints
//   curl -X POST http://127.0.0.1:8080/push       from a post-receive hook, or by hand
//
// One program serves pages and tests commits: tinyci does not block the event loop. The first Ctrl-C
// ends the running command and still runs `after_all`. The second kills, and the commit stays pending.
import { createServer } from "node:http";
import { open } from "tinyci";

const [path, port = "8080"] = process.argv.slice(2);
if (!path) {
  console.error("usage: node live.js REPOSITORY [PORT]");
  process.exit(2);
}

const engine = await open(path);
const stop = new AbortController();
const watchers = new Set();

function send(text) {
  for (const watcher of watchers) watcher.write(`data: ${JSON.stringify(text)}\n\n`);
}

/** Tests the pending commits, and sends the log to the watchers. */
async function build() {
  try {
    for await (const event of engine.run({ signal: stop.signal })) {
      send(event.kind === "output" ? event.data.toString() : event.logLines);
    }
  } catch (error) {
    // Another run is active. It checks for new commits before it ends, so it also tests this push.
    if (error.code === "busy") return;
    console.error(error.message);
    send(`${error.message}\n`);
  }
}

const builds = new Set();

function start() {
  const building = build().finally(() => builds.delete(building));
  builds.add(building);
}

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const html = (text) => String(text).replace(/[&<>"]/g, (letter) => ESCAPES[letter]);

/** Returns a page with the newest commits and their outcomes. */
async function page() {
  const records = await engine.records({ limit: 20 });
  const rows = records.map(
    ({ commit, branch, outcome, durationMs, started }) =>
      `<tr><td>${commit.slice(0, 10)}<td>${html(branch ?? "")}<td>${outcome}` +
      `<td>${(durationMs / 1000).toFixed(1)} s<td>${started.toISOString()}\n`,
  );
  return `<!doctype html><meta charset="utf-8"><title>${html(engine.path)}</title>
<table>\n${rows.join("")}</table><pre></pre>
<script>
const log = document.querySelector("pre");
new EventSource("/events").onmessage = ({ data }) => { log.textContent += JSON.parse(data); };
</script>
`;
}

const routes = {
  "GET /": async (response) => {
    const body = await page();
    response.setHeader("Content-Type", "text/html; charset=utf-8").end(body);
  },
  "GET /events": (response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" }).flushHeaders();
    watchers.add(response);
    response.on("close", () => watchers.delete(response));
  },
  "POST /push": (response) => {
    start();
    response.writeHead(202).end("started\n");
  },
};

const server = createServer(async (request, response) => {
  const route = routes[`${request.method} ${request.url}`];
  try {
    if (route) await route(response);
    else response.writeHead(404).end("not found\n");
  } catch (error) {
    response.writeHead(500).end(`${error.message}\n`);
  }
});

server.listen(Number(port), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));

process.once("SIGINT", async () => {
  stop.abort();
  server.close();
  await Promise.all(builds);
  for (const watcher of watchers) watcher.end();
  await engine.close();
});
