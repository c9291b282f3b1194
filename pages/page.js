"use strict";

// The filter of index.html, which is hidden without JavaScript.
const fieldset = document.querySelector("#filter");
if (fieldset) {
  const fields = fieldset.elements;
  const list = document.querySelector(".cards"), cards = [...list.children];
  const texts = cards.map((card) => card.textContent.toLowerCase());
  const filter = () => {
    const text = fields.text.value.trim().toLowerCase();
    const shown = cards.filter((card, number) =>
      (!fields.split.value || card.dataset.split === fields.split.value)
        && (!fields.findings.checked || card.dataset.findings)
        && texts[number].includes(text));
    const isNew = (card, number) => card !== list.children[number];
    if (shown.length !== list.children.length || shown.some(isNew)) {
      list.replaceChildren(...shown); // hiding a thousand cards takes a second
    }
    fields.shown.value = `${shown.length} of ${cards.length} shown`;
  };
  fieldset.hidden = false;
  fieldset.addEventListener("input", filter);
  addEventListener("pageshow", filter); // a browser may restore what was chosen
  for (const link of document.querySelectorAll("#findings a")) {
    link.addEventListener("click", () => {
      fields.text.value = fields.split.value = "";
      fields.findings.checked = false;
      filter();
    });
  }
}

// Sorting by any column of report.html; the pictures below follow the table.
const compare = (first, second, direction) => {
  const [a, b] = [first, second].map((text) => Number.parseFloat(text));
  const last = Number.isNaN(a) - Number.isNaN(b); // what is no number
  return last || direction * (a - b || first.localeCompare(second));
};
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      const text = (row) => row.cells[column].textContent;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(text(a), text(b), direction));
      for (const row of rows) {
        table.tBodies[0].append(row);
        const article = document.querySelector(row.querySelector("a").hash);
        article.parentNode.append(article);
      }
    });
  });
}
