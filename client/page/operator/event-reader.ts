/** An event that is longer is none of ours. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

/**
 * The data of server-sent events (HTML standard, 9.2.6), for a stream that came
 * by `fetch`: `EventSource` sends no `Authorization`. Names and ids are passed over.
 * @throws Error when an event has no end
 */
export async function* readEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true }).replaceAll("\r", "");
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const data = dataOf(text.slice(0, end));
        text = text.slice(end + 2);
        if (data !== null) yield data;
      }
      if (text.length > MAX_CHARACTERS) throw new Error("an event without an end");
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function dataOf(event: string): string | null {
  const lines = event.split("\n").filter((line) => line.startsWith("data:"));
  if (lines.length === 0) return null;
  return lines.map((line) => line.slice("data:".length).replace(/^ /, "")).join("\n");
}
