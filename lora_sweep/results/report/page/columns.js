// The columns of the table: what a row of one trial, or of repeats of it, shows and is sorted by.

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const scoresOf = (members, name) => members
  .map((k) => trials[k].scores[name]).filter((value) => value !== undefined);

// Numbers before words, nothing last.
function compare(a, b) {
  const missing = (value) => value === null || value === undefined;
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

// {key, head, about, right, value(members), cell(members, row)}; `members` are a row's trials.
function tableColumns() {
  return [
    ...sweep.axes.map(axisColumn),
    ...sweep.measures.map(measureColumn),
    ...(sweep.measures.length || !trials.some((each) => each.reason) ? [] : [reasonColumn]),
    { key: 'state', head: ['', 'state'], value: (members) => stateOf(members), cell: stateCell },
    plainColumn('steps', 'optimizer steps', (k) => trials[k].steps, (v) => v.toLocaleString('en')),
    plainColumn('time', timeAbout, (k) => trials[k].seconds, duration),
    { key: 'trial', head: ['', 'trial'], value: ([k]) => trials[k].id, cell: detailsCell },
  ];
}

// Only without measures: otherwise a reason stands where they would.
const reasonColumn = {
  key: 'reason',
  head: ['', 'reason'],
  value: ([k]) => trials[k].reason,
  cell: ([k]) => el('span', { class: 'reason' }, trials[k].reason ?? ''),
};

const timeAbout = 'time of training, with the part that was shared with other trials';

function axisColumn(axis, index) {
  const value = ([k]) => trials[k].values[index];
  const right = axis.values.every((each) => typeof each === 'number' || each === null);
  const order = (members) => (right ? value(members) : axis.values.indexOf(value(members)));
  return {
    key: axis.name,
    head: nameParts(axis.name),
    right,
    value: order,
    cell: (members) => {
      if (axis.seed && members.length > 1) {
        const distinct = new Set(members.map((k) => trials[k].values[index])).size;
        return el('span', { class: 'muted' }, `× ${distinct}`, el('span', { class: 'hidden-text' }, ' values'));
      }
      const each = value(members);
      return each === null ? el('span', { class: 'muted' }, '–') : document.createTextNode(shown(each));
    },
  };
}

function measureColumn(measure) {
  const { name } = measure;
  const digits = decimalsFor(trials.map((each) => each.scores[name]).filter((v) => v !== undefined));
  return {
    key: name,
    measure,
    head: ['', `${name} ${arrow(name)}`],
    about: `${measure.formula}; range ${measure.range}`,
    right: true,
    digits,
    value: (members) => {
      const scores = scoresOf(members, name);
      return scores.length ? mean(scores) : null;
    },
    cell: (members) => measureCell(measure, digits, members),
  };
}

function measureCell(measure, digits, members) {
  const scores = scoresOf(members, measure.name);
  if (!scores.length) return el('span', { class: 'muted' }, '–');
  const group = groupOf[members[0]];
  const place = members.length === sweep.groups[group].length ? placeOf(measure.name, group) : null;
  const spread = place?.spread ?? null;
  const best = place?.rank === 0 && sweep.verdicts[measure.name].standings.length > 1;
  const marks = [];
  if (best) marks.push(el('span', { class: 'mark', title: 'best' }, '★'), el('span', { class: 'hidden-text' }, ' best'));
  if (place?.inside) {
    marks.push(el('span', { class: 'mark', title: 'cannot be told from the best' }, '≈'),
      el('span', { class: 'hidden-text' }, ' cannot be told from the best'));
  }
  return el(
    'span', { class: `score${best ? ' best' : ''}${place?.inside ? ' inside' : ''}` },
    number(mean(scores), digits),
    spread === null ? null : el('span', { class: 'spread' }, ` ± ${number(spread, digits)}`),
    el('span', { class: 'marks' }, marks),
  );
}

function plainColumn(name, about, valueOf, write) {
  return {
    key: name,
    head: ['', name],
    about,
    right: true,
    value: (members) => mean(members.map(valueOf)),
    cell: (members) => {
      const value = Math.round(mean(members.map(valueOf)));
      const shared = name === 'time' && members.length === 1 && trials[members[0]].shared > 0
        ? { title: `of which ${duration(trials[members[0]].shared)} shared with other trials` } : {};
      return el('span', shared, value ? write(value) : '–');
    },
  };
}

function stateOf(members) {
  const states = [...new Set(members.map((k) => trials[k].state))];
  return states.length === 1 ? states[0] : states.sort().join(', ');
}

function stateCell(members) {
  const counts = new Map();
  members.forEach((k) => counts.set(trials[k].state, (counts.get(trials[k].state) ?? 0) + 1));
  return el('span', {}, [...counts].map(([name, count]) => el(
    'span', { class: `state ${name}` }, members.length > 1 ? `${count} ${name}` : name,
  )));
}

function detailsCell(members) {
  const [k] = members;
  if (members.length > 1) {
    return el('button', { class: 'link', onclick: () => openDetails(k), 'aria-label': `Settings of ${labelOf(k, false)}` }, 'settings');
  }
  return el('button', { class: 'link mono', onclick: () => openDetails(k), 'aria-label': `Trial ${trials[k].id}` }, trials[k].id.slice(0, 12));
}
