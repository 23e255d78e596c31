import { createRequire } from "node:module";

/** The Emscripten module of `tinyh264`, as far as it is used. */
interface TinyModule {
  readonly HEAPU8: Uint8Array;
  _h264bsdAlloc(): number;
  _h264bsdInit(storage: number, noReordering: number): number;
  _h264bsdDecode(
    storage: number,
    bytes: number,
    count: number,
    picture: number,
    width: number,
    height: number,
  ): number;
  _h264bsdShutdown(storage: number): void;
  _h264bsdFree(storage: number): void;
  _malloc(bytes: number): number;
  _free(at: number): void;
  getValue(at: number, type: "i32"): number;
}

const PICTURE_READY = 1;
const FIRST_ERROR = 3;
const MAX_UNIT_BYTES = 1024 * 1024;

/** A decoder that comes with npm and shares nothing with ours: h264bsd, by way of `tinyh264`. */
export class TinyH264 {
  readonly #module: TinyModule;
  readonly #storage: number;
  readonly #bytes: number;
  readonly #numbers: number;

  private constructor(module: TinyModule) {
    this.#module = module;
    this.#storage = module._h264bsdAlloc();
    this.#bytes = module._malloc(MAX_UNIT_BYTES);
    this.#numbers = module._malloc(12);
    module._h264bsdInit(this.#storage, 0);
  }

  static async open(): Promise<TinyH264> {
    // It takes itself to be in a web worker, and asks where.
    Object.assign(globalThis, { self: { location: { href: "" } } });
    const require = createRequire(import.meta.url);
    const { default: create } = require("tinyh264/lib/TinyH264.js") as {
      default: () => Promise<TinyModule>;
    };
    return new TinyH264(await create());
  }

  /**
   * Decodes an access unit of the byte stream.
   * @returns I420 of whole macroblocks, not cropped
   * @throws Error when it is not decoded without remark
   */
  decode(unit: Uint8Array): Uint8Array {
    const module = this.#module;
    module.HEAPU8.set(unit, this.#bytes);
    const [picture, width, height] = [this.#numbers, this.#numbers + 4, this.#numbers + 8];
    const code = module._h264bsdDecode(
      this.#storage,
      this.#bytes,
      unit.length,
      picture,
      width,
      height,
    );
    if (code >= FIRST_ERROR) throw new Error(`h264bsd answers ${code}`);
    if (code !== PICTURE_READY) throw new Error(`no picture: h264bsd answers ${code}`);
    const count = (module.getValue(width, "i32") * module.getValue(height, "i32") * 3) / 2;
    const at = module.getValue(picture, "i32");
    return module.HEAPU8.slice(at, at + count);
  }
}
