import { readFile } from "node:fs/promises";
import { DockerfileParser, type Instruction, type JSONInstruction } from "dockerfile-ast";

/** An image, as its Dockerfile says it with the defaults of its arguments. */
export interface Image {
  readonly stages: readonly Stage[];
  /** The one that is shipped. */
  readonly last: Stage;
}

export interface Stage {
  readonly base: string;
  readonly instructions: readonly Instruction[];
  /** Arguments of every instruction of a kind. */
  all(keyword: string): string[][];
  /** Of the last instruction of a kind, which is the one that holds. @throws Error if there is none */
  one(keyword: string): string[];
}

/** @throws Error when it has no stage */
export async function readImage(file: URL): Promise<Image> {
  const parsed = DockerfileParser.parse(await readFile(file, "utf8"));
  const defaults = new Map<string, string>();
  for (const argument of parsed.getInitialARGs()) {
    const [name = "", value = ""] = wordsOf(argument)[0]!.split("=");
    defaults.set(name, value);
  }
  const stages: { base: string; instructions: Instruction[] }[] = [];
  for (const instruction of parsed.getInstructions()) {
    if (instruction.getKeyword() !== "FROM") stages.at(-1)?.instructions.push(instruction);
    else stages.push({ base: fill(wordsOf(instruction)[0]!, defaults), instructions: [] });
  }
  const read = stages.map(readStage);
  const last = read.at(-1);
  if (!last) throw new Error(`${file} has no FROM`);
  return { stages: read, last };
}

function readStage({ base, instructions }: Omit<Stage, "all" | "one">): Stage {
  const all = (keyword: string) =>
    instructions.filter((each) => each.getKeyword() === keyword).map(wordsOf);
  return {
    base,
    instructions,
    all,
    one(keyword) {
      const found = all(keyword).at(-1);
      if (!found) throw new Error(`the stage from ${base} has no ${keyword}`);
      return found;
    },
  };
}

/** The words of its exec form where it has one. */
function wordsOf(instruction: Instruction): string[] {
  const json = (instruction as Partial<JSONInstruction>).getJSONStrings?.() ?? [];
  const words = json.length > 0 ? json : instruction.getArguments();
  return words.map((word) => word.getValue().replace(/^"(.*)"$/, "$1"));
}

function fill(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$\{(\w+)\}/g, (whole, name: string) => values.get(name) ?? whole);
}
