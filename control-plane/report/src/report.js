for (const part of document.querySelectorAll("section.rows")) {
  const rows = [...part.querySelectorAll("tbody tr")];
  part.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
  });
}
