import type { Context } from "hono";
import type { Caller } from "../access/caller.ts";
import type { TraceVariables } from "./trace-requests.ts";

/** What middleware has found out about a request by the time that its route runs. */
export interface EdgeVariables extends TraceVariables {
  requestId: string;
  /** Undefined where nobody is asked who he is. */
  caller: Caller | undefined;
}

/** Who asks, on a path below `authorise`. */
export function callerOf(c: Context<{ Variables: EdgeVariables }>): Caller {
  const caller = c.get("caller");
  if (!caller) throw new TypeError(`nobody was asked who he is at ${c.req.path}`);
  return caller;
}
