/** A column of a table that goes on changing. */
export interface Column<Item> {
  readonly label: string;
  /** Numbers stand at the right. */
  readonly isNumber?: boolean;
  /** What the cell says. */
  readonly text?: (item: Item) => string;
  /** How it looks; `operator.css` knows the names. */
  readonly state?: (item: Item) => string;
  /** Share of a bar behind it, 0 to 1. */
  readonly share?: (item: Item) => number;
  /** Made once for a row, such as a button. */
  readonly make?: (key: string) => HTMLElement;
}

export interface KeyedTableOptions<Item> {
  readonly table: HTMLTableElement;
  /** Shown while there is no row. */
  readonly empty: HTMLElement;
  readonly columns: readonly Column<Item>[];
  readonly keyOf: (item: Item) => string;
}

/**
 * Rows that belong to things: what stays is changed in place and only where it
 * differs, so that focus, selection and scrolling outlive a snapshot a second.
 */
export class KeyedTable<Item> {
  readonly #options: KeyedTableOptions<Item>;
  readonly #body: HTMLTableSectionElement;
  readonly #rows = new Map<string, HTMLTableRowElement>();

  constructor(options: KeyedTableOptions<Item>) {
    this.#options = options;
    const { table, columns } = options;
    const head = table.createTHead().insertRow();
    for (const { label, isNumber } of columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = label;
      cell.classList.toggle("number", isNumber === true);
      head.append(cell);
    }
    this.#body = table.createTBody();
    this.update([]);
  }

  update(items: readonly Item[]): void {
    const { table, empty, keyOf } = this.#options;
    table.hidden = items.length === 0;
    empty.hidden = items.length > 0;
    const keys = new Set(items.map(keyOf));
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    for (const [n, item] of items.entries()) {
      const key = keyOf(item);
      const row = this.#rows.get(key) ?? this.#makeRow(key);
      if (this.#body.rows[n] !== row) this.#body.insertBefore(row, this.#body.rows[n] ?? null);
      this.#fill(row, item);
    }
  }

  #makeRow(key: string): HTMLTableRowElement {
    const row = document.createElement("tr");
    for (const { label, isNumber, make } of this.#options.columns) {
      const cell = row.insertCell();
      // Where there is no room for columns each cell says what it is.
      cell.dataset.label = label;
      cell.classList.toggle("number", isNumber === true);
      cell.append(make ? make(key) : document.createElement("span"));
    }
    this.#rows.set(key, row);
    return row;
  }

  #fill(row: HTMLTableRowElement, item: Item): void {
    for (const [n, { text, state, share }] of this.#options.columns.entries()) {
      const content = row.cells[n]?.firstElementChild;
      if (!(content instanceof HTMLElement) || !text) continue;
      const words = text(item);
      if (content.textContent !== words) content.textContent = words;
      if (state) content.dataset.state = state(item);
      if (share) {
        content.classList.add("bar-cell");
        content.style.setProperty("--share", String(Math.min(1, Math.max(0, share(item)))));
      }
    }
  }
}
