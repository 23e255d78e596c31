import { element } from "./elements.ts";

/** Calls `take` with each audio file that is chosen, or dropped on the page. */
export function listenForFiles(stage: HTMLElement, take: (file: File) => void): void {
  const input = element("file", HTMLInputElement);
  element("choose", HTMLButtonElement).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    // So that the same one can be chosen again.
    input.value = "";
    if (file) take(file);
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("dropping");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (relatedTarget === null) stage.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("dropping");
    const [file] = event.dataTransfer?.files ?? [];
    if (file) take(file);
  });
}
