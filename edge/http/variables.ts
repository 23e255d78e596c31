import type { TraceVariables } from "./trace-requests.ts";

/** What middleware has found out about a request by the time that its route runs. */
export interface EdgeVariables extends TraceVariables {
  requestId: string;
}
