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
  if (body.contains(document.activeElement)) rows[index].focus();
}

function focusRow() {
  if (chosen < 0) return;
  showRow(chosen);
  rows[chosen].focus();
}

const keys = {
  ...view.keys,
  ArrowRight: () => step(1), ArrowDown: () => step(1),
  ArrowLeft: () => step(-1), ArrowUp: () => step(-1),
  Enter: focusRow,
  Escape: () => choose(-1),
};
for (const place of [map, body]) listen(place, keys);

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
  for (const row of [...body.rows].sort(compare)) body.append(row);
}

for (const [column, head] of heads.entries())
  head.querySelector('button').addEventListener('click', () => {
    const descending = head.getAttribute('aria-sort') === 'ascending';
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    sortBy(column, descending);
  });

const search = document.querySelector('.search'), only = document.querySelector('.only-review');
// Cells are apart: row 1 and number 2 are no 12.
const words = rows.map(row => [...row.cells].map(cell => cell.textContent.trim()).join('\n')
  .toLocaleLowerCase(language));
function filter() {
  const wanted = search.value.trim().toLocaleLowerCase(language);
  let shown = 0;
  for (const [index, row] of rows.entries()) {
    const fits = (!only.checked || row.classList.contains('review')) &&
      words[index].includes(wanted);
    row.hidden = !fits;
    outlineOf(index).classList.toggle('out', !fits);
    shown += fits;
  }
  document.querySelector('.shown').textContent = shown;
}
search.addEventListener('input', filter);
only.addEventListener('change', filter);
filter();  // a browser may remember both from before
