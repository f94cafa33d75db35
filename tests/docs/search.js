// Prints the first page that the site's search finds for each query, as a browser would: node search.js SITE QUERY...
const fs = require("fs");
const path = require("path");
const [site, ...queries] = process.argv.slice(2);
const listeners = [];
let answered;
globalThis.self = globalThis;
globalThis.addEventListener = (_, listener) => listeners.push(listener);
globalThis.postMessage = (message) => answered(message.data);
const folder = path.join(site, "assets/javascripts/workers");
const worker = fs.readdirSync(folder).find((name) => name.endsWith(".js"));
(0, eval)(fs.readFileSync(path.join(folder, worker), "utf8"));
const ask = (type, data) =>
  new Promise((resolve) => {
    answered = resolve;
    const event = { data: { type, data } };
    listeners.forEach((listener) => listener(event));
  });
(async () => {
  const index = JSON.parse(fs.readFileSync(path.join(site, "search/search_index.json"), "utf8"));
  await ask(0, { ...index, options: { suggest: false } });
  const found = {};
  for (const query of queries) found[query] = (await ask(2, query)).items.map(([page]) => page.location);
  console.log(JSON.stringify(found));
})();
