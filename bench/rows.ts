/** What a benchmark found: rows of a table, as they are printed and written. */
export type Rows = readonly Readonly<Record<string, string | number>>[];

/** Several tables of one topic, by name. */
export type Tables = Readonly<Record<string, Rows>>;
