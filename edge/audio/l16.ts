import { AudioError } from "./audio-error.ts";
import { checkSampleFormat, type SampleFormat } from "./sample-format.ts";

/**
 * The format that `audio/l16;rate=N[;channels=C][;endianness=...]` names.
 * Little-endian unless it says big-endian: docs/decisions/005-l16-byte-order.md.
 * @throws AudioError `bad_rate`, `bad_header`
 */
export function readL16Format(contentType: string): SampleFormat {
  const parameters = new Map(
    contentType
      .split(";")
      .slice(1)
      .map((parameter) => {
        const [name = "", value = ""] = parameter.split("=");
        return [name.trim().toLowerCase(), value.trim().replace(/^"|"$/g, "")] as const;
      }),
  );
  const rate = parameters.get("rate");
  if (rate === undefined || !/^[0-9]{1,6}$/.test(rate)) {
    throw new AudioError("bad_rate", "audio/l16 needs its rate: audio/l16;rate=16000");
  }
  const endianness = parameters.get("endianness") ?? "little-endian";
  if (endianness !== "little-endian" && endianness !== "big-endian") {
    throw new AudioError(
      "bad_header",
      `endianness=${endianness.slice(0, 40)} is not known: use little-endian or big-endian`,
    );
  }
  return checkSampleFormat({
    encoding: "int",
    bits: 16,
    channels: Number(parameters.get("channels") ?? 1),
    rate: Number(rate),
    isLittleEndian: endianness === "little-endian",
  });
}
