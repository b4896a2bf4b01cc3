// How to reach an oaktree.

import { readFileSync, statSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, type Interceptor, type Transport, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

/** Proves to one cloud, by its name in the server, who calls: a Keystone token, or an application credential. */
export type Credential = { cloud: string; token: string } | { cloud: string; id: string; secret: string };

export interface Options {
  /** They go with every call; one for a cloud. */
  credentials?: Credential[];
  /** A file of PEM: who may have signed the server's certificate. Node's own list if not given. */
  authority?: string;
  /** Files of PEM: the caller's own certificate and its key, for mutual TLS. */
  certificate?: { chain: string; key: string };
  /** No TLS. Credentials go in plain text then, so only to this machine. */
  plain?: boolean;
}

/**
 * Where calls go: with TLS, but for Unix sockets.
 *
 * @param target `host:port`, or `unix:/path`. If not given: OAKTREE_TARGET of the environment, with OAKTREE_CA, OAKTREE_CERT and OAKTREE_KEY for TLS, or the
 * socket where `openstackoid oaktree serve` listens for its user.
 * @throws TypeError if credentials would go in plain text over a network, or the socket at the default address is another user's.
 */
export function connect(target?: string, options: Options = {}): Transport {
  if (target === undefined) {
    const { OAKTREE_TARGET, OAKTREE_CA, OAKTREE_CERT, OAKTREE_KEY } = process.env;
    return connect(OAKTREE_TARGET || defaultAddress(), {
      ...(OAKTREE_CA && { authority: OAKTREE_CA }),
      ...(OAKTREE_CERT && OAKTREE_KEY && { certificate: { chain: OAKTREE_CERT, key: OAKTREE_KEY } }),
      ...options,
    });
  }
  const credentials = options.credentials ?? [];
  if (target.startsWith("unix:")) {
    const path = target.slice("unix:".length);
    return transport("http://localhost", credentials, { createConnection: () => connectSocket(path) });
  }
  if (options.plain) {
    if (credentials.length > 0 && !isLocal(target)) {
      throw new TypeError(`credentials do not go to ${target} without TLS`);
    }
    return transport(`http://${target}`, credentials, {});
  }
  return transport(`https://${target}`, credentials, {
    ...(options.authority && { ca: readFileSync(options.authority) }),
    ...(options.certificate && { cert: readFileSync(options.certificate.chain), key: readFileSync(options.certificate.key) }),
  });
}

/** The methods of one service. */
export function client<T extends DescService>(service: T, transport: Transport): Client<T> {
  return createClient(service, transport);
}

function defaultAddress(): string {
  const user = process.getuid?.() ?? 0;
  const path = `${process.env.XDG_RUNTIME_DIR || `/tmp/oaktree-${user}`}/oaktree.sock`;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isSocket() && found.uid !== user && found.uid !== 0) {
    throw new TypeError(`${path} belongs to another user: nothing was sent. Name it as the target if that is what you want`);
  }
  return `unix:${path}`;
}

function transport(baseUrl: string, credentials: Credential[], nodeOptions: object): Transport {
  return createGrpcTransport({ baseUrl, nodeOptions, interceptors: [withCredentials(credentials)] });
}

function withCredentials(credentials: Credential[]): Interceptor {
  return (next) => (request) => {
    for (const credential of credentials) {
      if ("token" in credential) {
        request.header.append("x-oaktree-token", words(credential.cloud, credential.token));
      } else {
        request.header.append("x-oaktree-application-credential", words(credential.cloud, credential.id, credential.secret));
      }
    }
    return next(request);
  };
}

/** Separated by one space, and percent-encoded: nothing in them looks like a separator. */
function words(...each: string[]): string {
  return each.map(encodeURIComponent).join(" ");
}

function isLocal(target: string): boolean {
  const host = target.replace(/:\d+$/, "");
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
