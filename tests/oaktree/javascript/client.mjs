// What the JavaScript client does, as JSON, for test_languages.py: node client.mjs TARGET SOCKET SECURE-TARGET AUTHORITY CHAIN KEY

import { client, connect, everywhere, rest } from "openstackoid-oaktree";
import { CloudService } from "openstackoid-oaktree/v1/cloud_pb";
import { ComputeService } from "openstackoid-oaktree/v1/compute_pb";
import { ImageService } from "openstackoid-oaktree/v1/image_pb";

const [target, socket, secure, authority, chain, key] = process.argv.slice(2);
const found = {};

async function refused(call) {
  try {
    await call();
    return "nothing";
  } catch (error) {
    return error.rawMessage ?? error.message;
  }
}

// Messages: a Struct is an object, an int64 a bigint, what is absent is undefined.
const plain = connect(target, { plain: true });
const servers = [];
for await (const answer of client(ComputeService, plain).listServers({ locations: [{ cloud: "one" }] })) {
  servers.push(...answer.servers);
}
const [server] = servers;
found.server = {
  name: server.name,
  progress: String(server.progress),
  addresses: server.addresses,
  absent: server.taskState === undefined,
};
found.malformed = await refused(async () => {
  for await (const _ of client(ComputeService, plain).listServers({ options: { query: "[" } })) {
    break;
  }
});

async function* parts() {
  yield { part: { case: "create", value: { image: { name: "tiny" } } } };
  yield { part: { case: "data", value: new Uint8Array(10) } };
  yield { part: { case: "data", value: new Uint8Array(20) } };
}
for await (const answer of client(ImageService, plain).uploadImage(parts())) {
  found.image = { name: answer.image.name, size: String(answer.image.size) };
}

// Lists as iterators.
process.env.OAKTREE_TARGET = `unix:${socket}`;
found.names = [];
found.partial = await refused(async () => {
  for await (const each of everywhere(connect()).servers({ locations: ["one", { cloud: "two" }] })) {
    found.names.push(each.name);
  }
});
const warnings = [];
process.on("warning", (warning) => warnings.push(`${warning.name}: ${warning.message}`));
found.warned = 0;
for await (const _ of everywhere(plain).servers({ failures: "warn" })) {
  found.warned += 1;
}
await new Promise((resolve) => setImmediate(resolve));
found.warnings = warnings;
found.lists = Object.keys(everywhere(plain)).sort();

// Credentials.
const credentials = [{ cloud: "one", id: "ab12", secret: "sécret word," }];
const transports = [
  connect(target, { plain: true, credentials }),
  connect(`unix:${socket}`, { credentials }),
  connect(secure, { authority, certificate: { chain, key }, credentials }),
];
for (const transport of transports) {
  for await (const _ of client(ComputeService, transport).listServers({})) {
  }
}
found.unproved = await refused(async () => {
  for await (const _ of client(ComputeService, connect(secure, { certificate: { chain, key }, credentials })).listServers({})) {
    break;
  }
});
found.network = await refused(() => connect("127.0.0.1.example.org:80", { plain: true, credentials }));

// A cloud's own API.
const fetchIt = rest(client(CloudService, plain), { cloud: "one", region: "RegionOne" }, "compute");
found.ok = (await fetchIt("/servers/detail?limit=1")).ok;
await Promise.all([fetchIt("servers"), fetchIt("servers")]);
await fetchIt("a", { headers: { Authorization: "Basic mine", "X-Mine": "kept", "OpenStack-API-Version": "compute 2.1" } });
found.posted = (await fetchIt("a", { method: "POST", body: "{}" })).status;
found.manual = (await fetchIt("a", { redirect: "manual" })).status;
found.endless = await refused(() => fetchIt("endless"));
found.url = await refused(() => fetchIt("http://127.0.0.1:1/servers"));

console.log(JSON.stringify(found));
process.exit(0); // Connections stay open for the next call.
