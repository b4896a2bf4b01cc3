// Lists as plain iterators: items of all clouds, and no partial list that looks like a whole one.

import type { DescMethod, DescService, JsonObject, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type Transport, createClient } from "@connectrpc/connect";
import { BlockStorageService } from "./gen/oaktree/v1/block_storage_pb.js";
import type { CloudResult } from "./gen/oaktree/v1/common_pb.js";
import { ComputeService } from "./gen/oaktree/v1/compute_pb.js";
import { DnsService } from "./gen/oaktree/v1/dns_pb.js";
import { IdentityService } from "./gen/oaktree/v1/identity_pb.js";
import { ImageService } from "./gen/oaktree/v1/image_pb.js";
import { LoadBalancerService } from "./gen/oaktree/v1/load_balancer_pb.js";
import type { LocationSchema } from "./gen/oaktree/v1/location_pb.js";
import { NetworkService } from "./gen/oaktree/v1/network_pb.js";
import { OrchestrationService } from "./gen/oaktree/v1/orchestration_pb.js";
import { ResourceService } from "./gen/oaktree/v1/resource_pb.js";

const SERVICES = {
  BlockStorageService,
  ComputeService,
  DnsService,
  IdentityService,
  ImageService,
  LoadBalancerService,
  NetworkService,
  OrchestrationService,
  ResourceService,
};

export interface ListHow {
  /** Where; the name of a cloud, or a location. Everywhere if not given. */
  locations?: (string | MessageInitShape<typeof LocationSchema>)[];
  /** What follows if some clouds did not answer: "throw" a CloudsFailedError after the items of the others (the default), or "warn" of it. */
  failures?: "throw" | "warn";
  /** Ends it. */
  signal?: AbortSignal;
  /** As ListOptions has them; of pages, all are read. */
  filters?: JsonObject;
  query?: string;
  orderBy?: string;
  pageSize?: number;
  refresh?: boolean;
  /** Fields of the request: parts of the path of a kind (`zoneId`), or the `kind` of `resources`. */
  [field: string]: unknown;
}

// What a list's answers have many of.
type Item<Answer> = {
  [K in keyof Answer as K extends `$${string}` ? never : K]-?: Answer[K] extends (infer I)[] ? I : never;
};
type ItemOf<M> = M extends { output: infer O extends DescMethod["output"] }
  ? Item<MessageShape<O>>[keyof Item<MessageShape<O>>]
  : never;
type ListsOf<S> = S extends DescService
  ? {
      [K in keyof S["method"] as K extends "listKinds" ? never : K extends `list${infer N}` ? Uncapitalize<N> : never]: (
        how?: ListHow,
      ) => AsyncGenerator<ItemOf<S["method"][K]>, void, undefined>;
    }
  : never;
type All<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never;

/** One method for each list of the API: `servers()`, `images()`, `securityGroups()`; `resources({ kind })` for every other kind. */
export type Everywhere = All<ListsOf<(typeof SERVICES)[keyof typeof SERVICES]>>;

/** Some clouds did not answer: what was listed is not all that there is. */
export class CloudsFailedError extends Error {
  override name = "CloudsFailedError";

  /** @param failures the results of these clouds, each with its error; empty if the oaktree has no cloud for the caller. */
  constructor(readonly failures: CloudResult[]) {
    super(text(failures));
  }
}

/** The lists, over a connection. */
export function everywhere(transport: Transport): Everywhere {
  const lists: Record<string, (how?: ListHow) => AsyncGenerator<unknown>> = {};
  for (const service of Object.values(SERVICES)) {
    const methods = createClient(service as DescService, transport) as unknown as Record<string, Rpc>;
    for (const method of service.methods) {
      if (method.localName.startsWith("list") && method.methodKind === "server_streaming") {
        const noun = method.localName.slice("list".length);
        lists[noun.charAt(0).toLowerCase() + noun.slice(1)] = (how) => items(methods[method.localName] as Rpc, how);
      }
    }
  }
  return lists as unknown as Everywhere;
}

type Answer = Message & { summary?: { results: CloudResult[]; nextPageToken: string } };
type Rpc = (request: object, options: { signal?: AbortSignal }) => AsyncIterable<Answer>;

async function* items(rpc: Rpc, how: ListHow = {}): AsyncGenerator<unknown> {
  const { locations = [], failures = "throw", signal, filters, query, orderBy, pageSize, refresh, ...fields } = how;
  const places = locations.map((each) => (typeof each === "string" ? { cloud: each } : each));
  const given = Object.entries({ filters, query, orderBy, pageSize, refresh }).filter(([, value]) => value !== undefined);
  const failed: CloudResult[] = [];
  let answered = false;
  for (let pageToken = ""; ; ) {
    const options = { ...Object.fromEntries(given), pageToken };
    let summary: Answer["summary"];
    for await (const answer of rpc({ ...fields, locations: places, options }, signal ? { signal } : {})) {
      summary = answer.summary ?? summary;
      for (const [name, value] of Object.entries(answer)) {
        if (!name.startsWith("$") && Array.isArray(value)) {
          yield* value;
        }
      }
    }
    answered = (summary?.results.length ?? 0) > 0;
    failed.push(...(summary?.results ?? []).filter((each) => each.error && reason(each) !== "SERVICE_MISSING"));
    pageToken = summary?.nextPageToken ?? "";
    if (!answered || pageToken === "") {
      break;
    }
  }
  if (failed.length > 0 || !answered) {
    if (failures === "throw") {
      throw new CloudsFailedError(failed);
    }
    process.emitWarning(text(failed), "CloudsFailedWarning");
  }
}

/** The permanent code of an error: `google.rpc.ErrorInfo.reason`, its first field. A cloud that has no such service has none of its resources. */
function reason(result: CloudResult): string {
  for (const detail of result.error?.details ?? []) {
    if (detail.typeUrl.endsWith("/google.rpc.ErrorInfo")) {
      const reader = new BinaryReader(detail.value);
      while (reader.pos < reader.len) {
        const [field, type] = reader.tag();
        if (field === 1) {
          return reader.string();
        }
        reader.skip(type);
      }
    }
  }
  return "";
}

function text(failures: CloudResult[]): string {
  if (failures.length === 0) {
    return "no cloud was asked, or the answer ended before its summary: what was listed need not be all";
  }
  const places = failures.map(
    ({ location, error }) => `${[location?.cloud, location?.region].filter(Boolean).join("/")}: ${error?.message}`,
  );
  return `what was listed is not all: ${places.join("; ")}`;
}
