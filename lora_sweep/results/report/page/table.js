// The table of trials: sorted, repeats together, rows that highlight their trials.

const table = {
  columns: [],
  sort: null, // key of a column
  descending: false,
  grouped: repeats,
  open: new Set(), // groups whose trials are shown
  rows: [], // [element, members]
};

function startTable() {
  table.columns = tableColumns();
  sortByMeasure();
  startFilter();
  if (repeats) {
    byId('trials-tools').append(tick('Seeds together', true, (checked) => {
      table.grouped = checked;
      drawTable();
    }));
  }
  byId('trials-tools').append(el('button', { id: 'unpin', hidden: true, onclick: () => {
    state.pinned.clear();
    emit('highlight');
  } }, 'Clear highlights'));
  watchOverflow(byId('trials-table'));
  startTableNotes();
  on('measure', () => { sortByMeasure(); drawTable(); });
  on('filter', drawTable);
  on('highlight', lightRows);
  on('colour', drawTable);
  drawTable();
}

function sortByMeasure() {
  table.sort = state.measure;
  table.descending = measureByName[state.measure]?.better === 'higher';
}

function drawTable() {
  const rows = table.grouped ? shownGroups().map((group) => sweep.groups[group])
    : shownTrials().map((k) => [k]);
  const corner = el('th', { scope: 'col', class: 'pin-cell' },
    el('span', { class: 'hidden-text' }, 'highlight'));
  table.rows = [];
  const body = el('tbody', { onmouseleave: () => setHover([]) });
  sorted(rows).forEach((members) => {
    body.append(tableRow(members));
    if (members.length > 1 && table.open.has(groupOf[members[0]])) {
      members.filter((k) => state.shown.has(k))
        .forEach((k) => body.append(tableRow([k], true)));
    }
  });
  if (!rows.length) {
    body.append(el('tr', {}, el('td', { colspan: table.columns.length + 1 },
      'No trial passes the filter.')));
  }
  replace(byId('trials-table'), el(
    'table', { onkeydown: moveFocus },
    el('caption', { class: 'hidden-text' }, 'Trials, the settings that vary and their measures'),
    el('thead', {}, el('tr', {}, corner, table.columns.map(headCell))), body, floorRow(),
  ));
  const count = shownTrials().length;
  byId('trials-count').textContent = count === trials.length
    ? `${counted(count, 'trial')}: ${statesText()}`
    : `${count} of ${counted(trials.length, 'trial')}`;
  lightRows();
}

// Rows without a value stay last in either direction.
function sorted(rows) {
  const column = table.columns.find((each) => each.key === table.sort);
  if (!column) return rows;
  const keyed = rows.map((members) => [column.value(members), members]);
  const sign = table.descending ? -1 : 1;
  keyed.sort(([a], [b]) => (missing(a) || missing(b) ? compare(a, b) : sign * compare(a, b)));
  return keyed.map(([, members]) => members);
}

function headCell(column) {
  const [section, leaf] = column.head;
  const active = column.key === table.sort;
  const order = table.descending ? 'descending' : 'ascending';
  const button = el(
    'button', { title: column.about, onclick: () => sortBy(column) },
    section ? el('span', { class: 'section-name' }, section) : null, leaf,
    el('span', { class: 'sort-mark', 'aria-hidden': 'true' },
      active ? (table.descending ? '▼' : '▲') : ''),
  );
  return el('th', {
    scope: 'col', 'aria-sort': active ? order : null, 'data-key': column.key,
    class: column.right ? 'right' : null,
  }, button);
}

// The first click puts the best on top.
function sortBy(column) {
  if (table.sort === column.key) table.descending = !table.descending;
  else {
    table.sort = column.key;
    table.descending = column.measure?.better === 'higher';
  }
  drawTable();
  document.querySelector(`#trials th[data-key="${CSS.escape(column.key)}"] button`).focus();
}

function tableRow(members, isMember = false) {
  const reason = reasonOf(members);
  const row = el(
    'tr', {
      class: [isMember ? 'member' : '', members.some(isDone) ? '' : 'not-done'].join(' '),
      onmouseenter: () => setHover(members),
      onfocusin: () => setHover(members),
      onfocusout: () => setHover([]),
    },
    el('td', { class: 'pin-cell' }, pinButton(members),
      members.length > 1 ? openButton(members) : null),
  );
  let told = false;
  table.columns.forEach((column) => {
    if (column.measure && reason) { // it takes the room of all measures
      if (!told) {
        row.append(el('td', { colspan: sweep.measures.length, class: 'reason' },
          el('span', { title: reason }, reason)));
      }
      told = true;
    } else row.append(el('td', { class: column.right ? 'right' : null }, column.cell(members)));
  });
  table.rows.push([row, members]);
  return row;
}

const isDone = (k) => trials[k].state === 'done';

// Why none of these has a measure.
function reasonOf(members) {
  if (!sweep.measures.length || members.some(isDone)) return null;
  return [...new Set(members.map((k) => trials[k].reason).filter(Boolean))].join('; ') || null;
}

function pinButton(members) {
  return el('button', {
    class: 'pin', 'aria-label': `Highlight ${labelOf(members[0], members.length === 1)}`,
    onclick: () => togglePinned(members),
  }, el('i', { class: 'swatch', style: { background: colourOf(members[0]) } }));
}

function openButton(members) {
  const group = groupOf[members[0]];
  const isOpen = table.open.has(group);
  return el('button', {
    class: 'expand', 'aria-expanded': String(isOpen), 'data-group': group,
    'aria-label': `${counted(members.length, 'trial')} of ${groupLabel(group)}`,
    onclick: () => {
      (isOpen ? table.open.delete(group) : table.open.add(group));
      drawTable();
      document.querySelector(`#trials button.expand[data-group="${group}"]`)?.focus();
    },
  }, isOpen ? '▾' : '▸');
}

function lightRows() {
  table.rows.forEach(([row, members]) => {
    row.classList.toggle('lit', members.every(isLit));
    const pinned = members.every((k) => state.pinned.has(k));
    row.querySelector('button.pin').setAttribute('aria-pressed', String(pinned));
  });
  byId('unpin').hidden = !state.pinned.size;
}

// How large a difference has to be, below the column it is about.
function floorRow() {
  if (!sweep.measures.some(({ name }) => sweep.verdicts[name]?.floor)) return null;
  const before = sweep.axes.length;
  const label = el('th', {
    scope: 'row', colspan: before || 1,
    title: 'rows nearer to the best than this cannot be told from it',
  }, 'noise floor');
  return el('tfoot', {}, el(
    'tr', {}, el('td', { class: 'pin-cell' }), label,
    table.columns.slice(before).map((column) => {
      const floor = column.measure ? sweep.verdicts[column.key]?.floor : null;
      return el('td', { class: 'right' }, floor ? [number(floor, column.digits),
        el('span', { class: 'marks' })] : '');
    }),
  ));
}

// Up and down go to the same button of the next row.
function moveFocus(event) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const cell = event.target.closest('td');
  if (!step || !cell) return;
  const rows = [...cell.closest('table').tBodies[0].rows];
  const next = rows[rows.indexOf(cell.parentElement) + step];
  const last = event.target.closest('tr').lastChild === cell;
  const button = last ? next?.lastChild.querySelector('button') : next?.querySelector('button');
  if (!button) return;
  event.preventDefault();
  button.focus();
}
