/** An element of an S3 answer: those have no attributes that matter, and text only in leaves. */
export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** Unescaped; what lies between the children of an element is left out. */
  readonly text: string;
}

/** Answers of S3 are not larger: 1,000 keys of 1,024 bytes, each a few hundred bytes more. */
const MAX_CHARACTERS = 8 * 1024 * 1024;
const MAX_DEPTH = 16;
const NAMED: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

/** One step at a time: declaration, comment, closing tag, opening tag or text. */
const TOKEN =
  /<\?xml[^>]*\?>|<!--[\s\S]*?-->|<\/([A-Za-z][\w.-]*)\s*>|<([A-Za-z][\w.-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y;

/** What is not the XML that S3 speaks. */
export class XmlError extends Error {
  override readonly name = "XmlError";
}

/**
 * Reads an answer of S3. Strict: no document types, no entities but the five
 * that XML has and numbers, nothing that is not closed. That is all that S3
 * sends, and it leaves nothing of XML to attack.
 * @throws XmlError
 */
export function parseXml(source: string): XmlElement {
  if (source.length > MAX_CHARACTERS) throw new XmlError("it is too long");
  const root = { name: "", children: [] as XmlElement[], text: "" };
  const open = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (!match) throw new XmlError(`character ${at} is out of place`);
    const [, closed, opened, , isEmpty, text] = match;
    const parent = open.at(-1)!;
    if (opened !== undefined) {
      if (open.length > MAX_DEPTH) throw new XmlError("it is nested too deep");
      const element = { name: opened, children: [], text: "" };
      parent.children.push(element);
      if (!isEmpty) open.push(element);
    } else if (closed !== undefined) {
      if (open.length === 1 || parent.name !== closed) {
        throw new XmlError(`</${closed}> closes nothing`);
      }
      if (parent.children.length > 0) parent.text = "";
      open.pop();
    } else if (text !== undefined) {
      if (open.length > 1) parent.text += decodeEntities(text);
      else if (text.trim() !== "") throw new XmlError("there is text outside its element");
    }
  }
  const [element, ...others] = root.children;
  if (open.length > 1) throw new XmlError(`<${open.at(-1)!.name}> is not closed`);
  if (!element || others.length > 0) throw new XmlError("it has not exactly one root");
  return element;
}

/** Text of the child of that name; null when there is none. */
export function childText(element: XmlElement, name: string): string | null {
  return element.children.find((child) => child.name === name)?.text ?? null;
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function decodeEntities(text: string): string {
  return text.replace(/&([^;&]*)(;?)/g, (_, name: string, end: string) => {
    const number = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
    const code = number ? Number.parseInt(number[1] ?? number[2]!, number[1] ? 16 : 10) : null;
    const named = Object.hasOwn(NAMED, name) ? NAMED[name]! : null;
    if (end === "" || (named === null && (code === null || code > 0x10ffff))) {
      throw new XmlError("an entity is not known");
    }
    return named ?? String.fromCodePoint(code!);
  });
}
