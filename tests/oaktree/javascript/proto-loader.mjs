// Lists servers as people do who have the definitions alone, for test_languages.py: node proto-loader.mjs MODULES PROTO TARGET

import { createRequire } from "node:module";
import { readdirSync } from "node:fs";

const [modules, proto, target] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const grpc = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");

const files = readdirSync(`${proto}/oaktree/v1`).map((file) => `oaktree/v1/${file}`);
const { oaktree } = grpc.loadPackageDefinition(loadSync(files, { includeDirs: [proto], arrays: true }));
const compute = new oaktree.v1.ComputeService(target, grpc.credentials.createInsecure());
const call = compute.listServers({ locations: [{ cloud: "one" }] });
for await (const { servers, summary } of call) {
  for (const server of servers) console.log(server.location.cloud, server.name, server.status);
  for (const { location, error } of summary?.results ?? []) if (error) console.error(`${location.cloud}: ${error.message}`);
}
compute.close();
