"use strict";
// Sorts by the column whose heading is pressed; what is not known comes last. Without it the names are in order.
const table = document.getElementById("recordings"), body = table.tBodies[0];
[...table.tHead.rows[0].cells].forEach((head, column, heads) => {
  if (!head.dataset.sort) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [row.cells[column].dataset.value, row]);
    rows.sort(([one], [other]) => {
      if (one === "" || other === "") return (one === "") - (other === "");
      return sign * (head.dataset.sort === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true }));
    });
    body.append(...rows.map(([, row]) => row));
  });
});
