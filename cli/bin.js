#!/usr/bin/env -S node --initial-old-space-size=256
// Pixels lie outside V8's heap, and next to a small heap V8 collects for each few of
// them: 40 times more often, 20 ms each. So the heap starts larger than it has to be.
//
// Plain JavaScript, so that any Node can read it and say what is missing.
const REQUIRED_MAJOR = 24;
const major = Number(process.versions.node.split(".")[0]);

if (major < REQUIRED_MAJOR) {
  console.error(
    `mouthpiece needs Node ${REQUIRED_MAJOR} and this is ${process.versions.node} (${process.execPath}).
The right one comes with the project: run "npm ci" without --ignore-scripts, then
use "npm start" or "npx mouthpiece ...", which pick it up from node_modules.`,
  );
  process.exit(1);
}
const { main } = await import("./main.ts");
process.exitCode = await main(process.argv.slice(2));
