/** Whether an error of Node's own has one of these codes, such as `ENOENT`. */
export function isErrorCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
