import { type EmscriptenLibrary, LibraryInstance } from "./emscripten.ts";

/**
 * The one instance that all codecs of a kind in this process share: each has
 * its own state on the library's heap. An instance of its own for each would
 * take its tables and its stack again.
 */
export class SharedLibrary {
  readonly #library: EmscriptenLibrary;
  #instance: LibraryInstance | null = null;

  constructor(library: EmscriptenLibrary) {
    this.#library = library;
  }

  get(): LibraryInstance {
    this.#instance ??= new LibraryInstance(this.#library);
    return this.#instance;
  }

  /** After it gave up: whoever comes next gets a sound one. */
  discard(instance: LibraryInstance): void {
    if (this.#instance === instance) this.#instance = null;
  }
}
