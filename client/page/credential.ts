/** For the tab, not for the next one: a session token is gone in minutes anyhow. */
const STORED = "mouthpiece-token";
const IN_FRAGMENT = /^#token=([A-Za-z0-9._~-]+)$/;

/** The key or token with which the page asks; kept for the tab. */
export class Credential {
  #value: string | null;

  /** Takes `#token=...` out of the address: a fragment is sent nowhere, but it stays in the history. */
  constructor() {
    const given = IN_FRAGMENT.exec(location.hash)?.[1];
    if (given) {
      history.replaceState(null, "", location.pathname + location.search);
      sessionStorage.setItem(STORED, given);
    }
    this.#value = sessionStorage.getItem(STORED);
  }

  get value(): string | null {
    return this.#value;
  }

  set value(value: string | null) {
    this.#value = value;
    if (value === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, value);
  }
}
