// What is not known comes last, whichever way a column is sorted.
const value = (row, column) => {
  const text = row.cells[column].textContent;
  if (column === 0) return text;
  const number = parseFloat(text.replaceAll(",", ""));
  if (text === "" || text === "unknown") return null;
  return Number.isNaN(number) ? text : number;
};
const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;
for (const part of document.querySelectorAll("section.rows")) {
  const body = part.querySelector("tbody"), search = part.querySelector("input");
  const more = part.querySelector(".tools button"), heads = [...part.querySelectorAll("th")];
  const rows = [...body.rows];
  let every = rows.length <= 100;
  const show = () => {
    const wanted = search.value.toLowerCase();
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    part.classList.toggle("all", every || wanted !== "");
    more.hidden = every || wanted !== "";
  };
  search.addEventListener("input", show);
  more.addEventListener("click", () => { every = true; show(); });
  heads.forEach((head, column) => head.addEventListener("click", () => {
    // The first click shows the largest numbers, or the first names.
    const was = head.getAttribute("aria-sort");
    const down = was ? was === "ascending" : column > 0;
    for (const one of heads) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map((row) => [value(row, column), row]);
    keyed.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) : down ? compare(b, a) : compare(a, b));
    body.append(...keyed.map(([, row]) => row));
  }));
  show();
}
