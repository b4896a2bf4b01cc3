// oaktree for JavaScript: messages and services are in "openstackoid-oaktree/v1/...", helpers here.

export { type Credential, type Options, client, connect } from "./connect.js";
export { CloudsFailedError, type Everywhere, type ListHow, everywhere } from "./everywhere.js";
export { type Rest, rest } from "./rest.js";
export { type WatchOptions, watch } from "./watch.js";
