// Lists every server of every cloud: node list-servers.mjs HOST:PORT [AUTHORITY.pem]
//
// Without the authority's file there is no TLS, for a server on this machine. OAKTREE_TOKEN may hold "CLOUD TOKEN".

import { client, connect } from "openstackoid-oaktree";
import { ComputeService } from "openstackoid-oaktree/v1/compute_pb";

const [target, authority] = process.argv.slice(2);
const [cloud, token] = (process.env.OAKTREE_TOKEN ?? "").split(" ");
const credentials = token ? [{ cloud, token }] : [];
const oaktree = connect(target, authority ? { authority, credentials } : { plain: true, credentials });

// No location: everywhere. Each cloud's servers come as soon as it has answered.
for await (const answer of client(ComputeService, oaktree).listServers({})) {
  for (const server of answer.servers) {
    console.log(server.location.cloud, server.name, server.status);
  }
  for (const result of answer.summary?.results ?? []) {
    if (result.error) {
      console.error(`${result.location.cloud}: ${result.error.message}`);
    }
  }
}
