// A cloud's own API, for what oaktree lacks.

import { type MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { type CloudService, type GetRestInfoResponse } from "./gen/oaktree/v1/cloud_pb.js";
import { type LocationSchema } from "./gen/oaktree/v1/location_pb.js";

/** As `fetch`, but of one service of one cloud: paths are below the root of its API. */
export type Rest = (path: string, init?: RequestInit) => Promise<Response>;

// Renewed so long before its end, for clocks that differ and requests that take time.
const MARGIN = 60_000;
const MOST_REDIRECTS = 10;

/**
 * A function like `fetch` for a cloud's own API. It gets a new token before the old one ends.
 *
 * The token goes to the API's own host only: a redirect to another one is followed without it. Redirects are followed for GET and HEAD;
 * of other methods the answer is the redirect itself.
 *
 * @param clouds the client of CloudService.
 * @param location one cloud-region.
 * @param service the service type: "compute", "image".
 */
export function rest(
  clouds: Client<typeof CloudService>,
  location: MessageInitShape<typeof LocationSchema>,
  service: string,
): Rest {
  let info: Promise<GetRestInfoResponse> | undefined;

  function ask(): Promise<GetRestInfoResponse> {
    const asked = clouds.getRestInfo({ location, service });
    asked.catch(() => {
      info = undefined; // The next request asks again.
    });
    return asked;
  }

  async function current(): Promise<GetRestInfoResponse> {
    const before = info;
    if (before !== undefined) {
      const known = await before;
      if (!isEnding(known)) {
        return known;
      }
      if (info === before) {
        info = undefined; // Nobody else has asked meanwhile.
      }
    }
    return (info ??= ask());
  }

  return async (path, init = {}) => {
    const { rootUrl, headers } = await current();
    let url = join(rootUrl, path);
    const follows = ["GET", "HEAD"].includes((init.method ?? "GET").toUpperCase()) && (init.redirect ?? "follow") === "follow";
    for (let redirects = 0; ; redirects++) {
      const sent = url.origin === new URL(rootUrl).origin ? merge(headers, init.headers) : withoutSecrets(init.headers);
      const response = await fetch(url, { ...init, redirect: "manual", headers: sent });
      const next = response.headers.get("location");
      if (!follows || next === null || ![301, 302, 303, 307, 308].includes(response.status)) {
        return response;
      }
      if (redirects === MOST_REDIRECTS) {
        throw new TypeError(`more than ${MOST_REDIRECTS} redirects`);
      }
      await response.body?.cancel();
      url = new URL(next, url);
    }
  };
}

function isEnding(info: GetRestInfoResponse): boolean {
  return info.expiresAt !== undefined && timestampDate(info.expiresAt).getTime() - MARGIN <= Date.now();
}

function join(root: string, path: string): URL {
  if (/^[a-z][a-z0-9+.-]*:/i.test(path)) {
    throw new TypeError("give a path below the API's root, not a URL");
  }
  return new URL(`${root.replace(/\/+$/, "")}/${path.replace(/^\/+/, "")}`);
}

function merge(own: Record<string, string>, given: HeadersInit | undefined): Headers {
  const merged = new Headers(own);
  new Headers(given).forEach((value, name) => merged.set(name, value));
  return merged;
}

/** The caller's own headers, as another host may see them. */
function withoutSecrets(given: HeadersInit | undefined): Headers {
  const kept = new Headers(given);
  ["authorization", "cookie", "x-auth-token", "x-service-token", "x-subject-token"].forEach((name) => kept.delete(name));
  return kept;
}
