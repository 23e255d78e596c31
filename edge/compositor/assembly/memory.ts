/** First byte after the module's own data: from here on memory is laid out by `avatar/wasm/kernels.ts`. */
export function heapBase(): usize {
  return __heap_base;
}
