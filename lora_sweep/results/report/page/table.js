// The table of trials: sorted, filtered, repeats together, rows that highlight their trials.

const table = {
  columns: [],
  sort: null, // key of a column
  descending: false,
  grouped: repeats,
  open: new Set(), // groups whose trials are shown
  words: '',
  state: 'all',
  rows: [], // [element, members]
};

function startTable() {
  table.columns = tableColumns();
  sortByMeasure();
  const search = el('input', {
    type: 'search', placeholder: 'Filter: rank=16 adamw', 'aria-label': 'Filter trials by settings, names and reasons',
    oninput: () => { table.words = search.value; filterTrials(); },
  });
  const states = ['all', ...Object.keys(sweep.states)];
  byId('trials-tools').append(search);
  if (states.length > 2) {
    byId('trials-tools').append(choice('State', states.map((s) => ({ text: s, value: s })), 'all', (s) => {
      table.state = s;
      filterTrials();
    }));
  }
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
  drawMeasureNotes();
  drawLeftOut();
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

const textOf = trials.map((trial, k) => [
  labelOf(k), trial.id, trial.name, trial.state, trial.reason ?? '',
].join(' ').toLowerCase());

// Each word of the filter has to be in the row; key=value is a whole value, as rank=4 is not rank=40.
function passes(k) {
  if (table.state !== 'all' && trials[k].state !== table.state) return false;
  const pairs = pairsOf(k).map(([axis, value]) => `${axisName(axis.name)}=${shown(value)}`.toLowerCase());
  return table.words.toLowerCase().split(/\s+/).filter(Boolean).every((word) => (
    word.includes('=')
      ? pairs.some((pair) => pair === word || pair.endsWith(`.${word}`)) : textOf[k].includes(word)
  ));
}

function filterTrials() {
  state.shown = new Set([...trials.keys()].filter(passes));
  emit('filter');
}

function drawTable() {
  const rows = table.grouped ? shownGroups().map((g) => sweep.groups[g]) : shownTrials().map((k) => [k]);
  const head = el('tr', {}, el('th', { scope: 'col', class: 'pin-cell' }, el('span', { class: 'hidden-text' }, 'highlight')),
    table.columns.map(headCell));
  table.rows = [];
  const body = el('tbody', { onmouseleave: () => setHover([]) });
  sorted(rows).forEach((members) => {
    body.append(tableRow(members, members.length > 1));
    if (members.length > 1 && table.open.has(groupOf[members[0]])) {
      members.filter((k) => state.shown.has(k)).forEach((k) => body.append(tableRow([k], false, true)));
    }
  });
  replace(byId('trials-table'), el(
    'table', { onkeydown: moveFocus },
    el('caption', { class: 'hidden-text' }, 'Trials with the settings that vary and their measures'),
    el('thead', {}, head), body, floorRow(),
  ));
  const count = shownTrials().length;
  byId('trials-count').textContent = count === trials.length
    ? `${counted(count, 'trial')}: ${statesText()}` : `${count} of ${counted(trials.length, 'trial')}`;
  if (!rows.length) body.append(el('tr', {}, el('td', { colspan: table.columns.length + 1 }, 'No trial passes the filter.')));
  drawLegend();
  lightRows();
}

// Rows without a value stay last in either direction.
function sorted(rows) {
  const column = table.columns.find((each) => each.key === table.sort);
  if (!column) return rows;
  const keyed = rows.map((members) => [column.value(members), members]);
  const missing = (value) => value === null || value === undefined;
  const sign = table.descending ? -1 : 1;
  keyed.sort(([a], [b]) => (missing(a) || missing(b) ? compare(a, b) : sign * compare(a, b)));
  return keyed.map(([, members]) => members);
}

function headCell(column) {
  const [section, leaf] = column.head;
  const active = column.key === table.sort;
  const order = active ? (table.descending ? 'descending' : 'ascending') : null;
  const button = el(
    'button', { title: column.about, onclick: () => sortBy(column) },
    section ? el('span', { class: 'section-name' }, section) : null, leaf,
    el('span', { class: 'sort-mark', 'aria-hidden': 'true' }, active ? (table.descending ? '▼' : '▲') : ''),
  );
  return el('th', { scope: 'col', 'aria-sort': order, class: column.right ? 'right' : null, 'data-key': column.key }, button);
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

function tableRow(members, isGroup, isMember = false) {
  const reason = members.length === 1 ? trials[members[0]].reason : null;
  const row = el(
    'tr', {
      class: `${isMember ? 'member' : ''} ${stateOf(members).includes('done') ? '' : 'not-done'}`,
      onmouseenter: () => setHover(members), onfocusin: () => setHover(members), onfocusout: () => setHover([]),
    },
    el('td', { class: 'pin-cell' }, pinButton(members), isGroup ? openButton(members) : null),
  );
  let told = !reason || !sweep.measures.length;
  table.columns.forEach((column) => {
    if (column.measure && !told) {
      told = true;
      row.append(el('td', { colspan: sweep.measures.length, class: 'reason' }, el('span', { title: reason }, reason)));
    }
    if (column.measure && reason) return; // the reason takes the room of all measures
    row.append(el('td', { class: column.right ? 'right' : null }, column.cell(members)));
  });
  table.rows.push([row, members]);
  return row;
}

function pinButton(members) {
  const button = el('button', {
    class: 'pin', 'aria-label': `Highlight ${labelOf(members[0], members.length === 1)}`,
    onclick: () => togglePinned(members),
  }, el('i', { class: 'swatch', style: { background: colourOf(members[0]) } }));
  return button;
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
    const pin = row.querySelector('button.pin');
    pin.setAttribute('aria-pressed', String(members.every((k) => state.pinned.has(k))));
  });
  byId('unpin').hidden = !state.pinned.size;
}

// How large a difference has to be, below the column it is about.
function floorRow() {
  if (!sweep.measures.some(({ name }) => sweep.verdicts[name]?.floor != null)) return null;
  const before = sweep.axes.length;
  return el('tfoot', {}, el(
    'tr', {}, el('td', {}), el('th', { scope: 'row', colspan: before || 1 }, 'noise floor: smaller differences are noise'),
    table.columns.slice(before).map((column) => {
      const floor = column.measure ? sweep.verdicts[column.key]?.floor : null;
      return el('td', { class: 'right' }, floor == null ? '' : number(floor, column.digits));
    }),
  ));
}

function drawLegend() {
  const parts = ['Arrows: ↓ lower is better, ↑ higher is better. '];
  if (Object.keys(sweep.verdicts).length) parts.push('★ best. ');
  if (repeats) {
    parts.push('≈ cannot be told from the best. ± is the standard deviation over seeds. ');
  }
  parts.push('The coloured square keeps a row highlighted in all drawings below.');
  replace(byId('trials-legend'), parts.join(''));
}

function drawMeasureNotes() {
  byId('measure-notes').hidden = !sweep.measures.length;
  replace(byId('measure-notes').querySelector('.measure-notes'), el('dl', {}, sweep.measures.map((each) => [
    el('dt', {}, `${each.name} ${arrow(each.name)}`),
    el('dd', {}, `${each.formula}. Range ${each.range}. It cannot see ${each.blind_to}.`),
  ])));
}

// Combinations that were asked for and are impossible.
function drawLeftOut() {
  const { left_out: list } = sweep;
  if (!list.length) return;
  byId('measure-notes').after(el(
    'details', {}, el('summary', {}, `${counted(list.length, 'impossible combination')} left out`),
    el('ul', {}, list.slice(0, 50).map(({ asked, why }) => el('li', {}, el('span', { class: 'mono' }, asked), ': ', why))),
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
