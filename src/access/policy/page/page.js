"use strict";
(() => {
  const form = document.forms[0];
  const hidden = document.getElementById("columns");
  const rows = [...document.querySelectorAll("tbody tr")];
  const sections = [...document.querySelectorAll("main section")];
  const count = document.getElementById("count");
  const show = () => {
    const words = form.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const group = form.group.value;
    const role = form.role.value;
    const sight = form.sight.value;
    const heads = [...document.querySelector("thead").querySelectorAll("th[data-pair]")];
    const away = heads.filter((head) => role !== "" && head.dataset.role !== role);
    const kept = new Set(heads.filter((head) => !away.includes(head)).map((head) => head.dataset.pair));
    hidden.textContent = away.map((head) => `.p${head.dataset.pair}{display:none}`).join("");
    let shown = 0;
    for (const row of rows) {
      const text = row.dataset.text;
      const cells = [...row.cells].filter((cell) => kept.has(cell.dataset.pair));
      const good = words.every((word) => text.includes(word))
        && (group === "" || row.dataset.group === group)
        && (sight === "" || cells.some((cell) => cell.classList.contains(sight)));
      row.classList.toggle("none", !good);
      shown += good ? 1 : 0;
    }
    for (const section of sections) {
      section.classList.toggle("none", !section.querySelector("tbody tr:not(.none)"));
    }
    count.textContent = `${shown} / ${rows.length}`;
  };
  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
