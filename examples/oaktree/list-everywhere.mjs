// Lists every server of every cloud, through the oaktree of OAKTREE_TARGET or of this user; fails if a cloud did not answer.

import { connect, everywhere } from "openstackoid-oaktree";

for await (const server of everywhere(connect()).servers()) {
  console.log(server.location.cloud, server.name, server.status);
}
process.exit(0); // Connections stay open for the next call.
