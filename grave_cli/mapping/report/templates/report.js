// One grave is chosen at a time, on the map, in the queue and in the table alike.
const language = document.documentElement.lang;
const body = document.querySelector('.graves-table tbody');
const heads = [...document.querySelectorAll('.graves-table th')];
const detail = document.querySelector('.detail');
const rows = [...body.rows];
const count = rows.length;
const parts = Array.from({ length: count }, () => []);
for (const part of document.querySelectorAll('[data-grave]'))
  parts[part.dataset.grave].push(part);
const outlineOf = index => parts[index].find(part => part instanceof SVGPathElement);
let chosen = -1;

function mark(index, name, on) {
  if (index >= 0) for (const part of parts[index]) part.classList.toggle(name, on);
}

function describe(index) {
  const told = ([column, cell]) => {
    const text = cell.textContent.trim();
    if (!text || text === '–' || column === 0) return text === '–' ? '' : text;
    return cell.classList.contains('text') ? text : `${heads[column].textContent.trim()} ${text}`;
  };
  const cells = index < 0 ? [] : [...rows[index].cells];
  detail.textContent = [...cells.entries()].map(told).filter(Boolean).join(' · ');
}

function choose(index) {
  mark(chosen, 'chosen', false);
  chosen = index;
  mark(chosen, 'chosen', true);
  describe(chosen);
  if (index < 0) return;
  view.show(outlineOf(index).getBBox());
}

function showRow(index) {
  const box = document.querySelector('.scroll'), row = rows[index];
  box.scrollTop = row.offsetTop - box.clientHeight / 2;
}

function graveOf(event) {
  const part = event.target.closest('[data-grave]');
  return part ? Number(part.dataset.grave) : -1;
}

document.addEventListener('pointerover', event => {
  const index = graveOf(event);
  mark(index, 'hover', true);
  if (index >= 0) describe(index);
});
document.addEventListener('pointerout', event => {
  mark(graveOf(event), 'hover', false);
  describe(chosen);
});
document.addEventListener('click', event => {
  const index = graveOf(event);
  if (index < 0) return;
  choose(index);
  if (!event.target.closest('.graves-table')) showRow(index);
});

// Arrow keys go through the graves that the table shows, in its order.
function step(by) {
  const shown = [...body.rows].filter(row => !row.hidden);
  if (!shown.length) return;
  const at = shown.indexOf(rows[chosen]);
  const next = at < 0 ? (by > 0 ? 0 : shown.length - 1) : (at + by + shown.length) % shown.length;
  const index = Number(shown[next].dataset.grave);
  choose(index);
  showRow(index);
}

const keys = {
  ArrowRight: () => step(1), ArrowDown: () => step(1),
  ArrowLeft: () => step(-1), ArrowUp: () => step(-1),
  '+': () => view.zoom(0.8), '-': () => view.zoom(1.25), 0: () => view.reset(),
  Enter: () => { if (chosen >= 0) { showRow(chosen); rows[chosen].focus(); } },
  Escape: () => choose(-1),
};
for (const place of [map, body])
  place.addEventListener('keydown', event => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    if (place === body && chosen >= 0) rows[chosen].focus();
  });

function sortBy(column, descending) {
  const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const compare = (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === '' || b === '') return (a === '') - (b === '');
    const way = descending ? -1 : 1;
    const [x, y] = [Number(a), Number(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return way * (x - y);
    return way * a.localeCompare(b, language, { numeric: true });
  };
  body.append(...[...body.rows].sort(compare));
}

for (const [column, head] of heads.entries())
  head.querySelector('button').addEventListener('click', () => {
    const descending = head.getAttribute('aria-sort') === 'ascending';
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    sortBy(column, descending);
  });

const search = document.querySelector('.search'), only = document.querySelector('.only-review');
function filter() {
  const wanted = search.value.trim().toLocaleLowerCase(language);
  let shown = 0;
  for (const [index, row] of rows.entries()) {
    const fits = (!only.checked || row.classList.contains('review')) &&
      row.textContent.toLocaleLowerCase(language).includes(wanted);
    row.hidden = !fits;
    outlineOf(index).classList.toggle('out', !fits);
    shown += fits;
  }
  document.querySelector('.shown').textContent = shown;
}
search.addEventListener('input', filter);
only.addEventListener('change', filter);
