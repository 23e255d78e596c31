import * as z from "zod";

const DAY_S = 86_400;

/** `live` of the edge's configuration: sessions that go on. */
export const liveSchema = z.strictObject({
  /** Sessions at the same time, in Workers per isolate; more are told to come back. */
  max_sessions: z.int().min(1).max(100_000).default(64),
  /** A session in which nobody speaks for so long ends. */
  idle_timeout_s: z.number().min(1).max(DAY_S).default(600),
  /** Longest life of a session; announced a minute before it strikes. */
  max_duration_s: z
    .number()
    .min(1)
    .max(30 * DAY_S)
    .default(14_400),
  /** Speech of one session that waits to be heard; what is beyond is refused. */
  max_speech_ahead_s: z.number().min(2).max(3600).default(60),
  /** A session whose viewers have all gone waits so long for one to come back. */
  resume_s: z.number().min(1).max(3600).default(30),
  /** A join token is good for so long until it is first used. */
  join_s: z.number().min(5).max(3600).default(120),
});

export type LiveSettings = z.infer<typeof liveSchema>;
