// A watch that outlives its server: asked again where one stops, and the next one, or another worker, answers.

import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import { setTimeout as sleep } from "node:timers/promises";

export interface WatchOptions {
  /** Ends it, and with it the wait between two tries. */
  signal?: AbortSignal;
  /** Milliseconds without an answer to asking again, after which the last error is thrown; 0 to ask once. 60 000 if not given. */
  patience?: number;
  /** Called each time that it breaks off, before it is asked again. */
  lost?: (error: ConnectError) => void;
}

// Milliseconds between two tries: the first, and the longest; less up to a half by chance, for many watch the same server.
const FIRST = 1_000;
const LONGEST = 8_000;

/**
 * The answers of a watch. One that breaks off with `Code.Unavailable` (its server stops, or the connection ends) is asked again.
 *
 * It then begins with what is, as every watch does (`Change.CURRENT`): changes meanwhile are not told one by one.
 *
 * @param rpc of a client: `client(ComputeService, oaktree).watchServer`.
 * @param request its request.
 * @throws ConnectError what ended it otherwise; also `Code.Unavailable`, if it was never answered.
 */
export async function* watch<Request, Answer>(
  rpc: (request: Request, options?: CallOptions) => AsyncIterable<Answer>,
  request: Request,
  { signal, patience = 60_000, lost }: WatchOptions = {},
): AsyncGenerator<Answer, void, undefined> {
  let broken: number | undefined; // Since when there is no answer.
  let begun = false;
  for (let pause = FIRST; ; pause = Math.min(2 * pause, LONGEST)) {
    try {
      for await (const answer of rpc(request, signal && { signal })) {
        begun = true;
        broken = undefined;
        pause = FIRST;
        yield answer;
      }
      return;
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      broken ??= Date.now();
      if (!begun || error.code !== Code.Unavailable || Date.now() >= broken + patience || signal?.aborted) {
        throw thrown;
      }
      lost?.(error);
    }
    await sleep(pause * (1 - Math.random() / 2), undefined, { signal });
  }
}
