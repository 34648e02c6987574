// The columns of the table: what a row of one trial, or of repeats of it, shows and is sorted by.

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const scoresOf = (members, name) => members
  .map((k) => trials[k].scores[name]).filter((value) => value !== undefined);
const missing = (value) => value === null || value === undefined;

// Numbers before words, nothing last.
function compare(a, b) {
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

// {key, head, about, right, value(members), cell(members)}; `members` are a row's trials.
// State and steps are left out where they are the same in all rows: the head of the page has them.
function tableColumns() {
  const varies = (of) => new Set(trials.map(of)).size > 1;
  return [
    ...sweep.axes.map(axisColumn),
    ...sweep.measures.map(measureColumn),
    ...(sweep.measures.length || !trials.some((each) => each.reason) ? [] : [reasonColumn]),
    ...(varies((each) => each.state) ? [stateColumn] : []),
    ...(varies((each) => each.steps) ? [stepsColumn] : []),
    timeColumn,
    trialColumn,
  ];
}

// Only without measures: otherwise a reason stands where they would.
const reasonColumn = {
  key: 'reason',
  head: ['', 'reason'],
  value: ([k]) => trials[k].reason,
  cell: ([k]) => el('span', { class: 'reason' }, trials[k].reason ?? ''),
};

const stateColumn = {
  key: 'state', head: ['', 'state'], value: (members) => stateOf(members), cell: stateCell,
};

const stepsColumn = {
  key: 'steps',
  head: ['', 'steps'],
  right: true,
  value: (members) => mean(members.map((k) => trials[k].steps)),
  cell: (members) => {
    const steps = Math.round(mean(members.map((k) => trials[k].steps)));
    return el('span', {}, steps ? steps.toLocaleString('en') : '–');
  },
};

const timeColumn = {
  key: 'time',
  head: ['', 'time'],
  about: 'of one training, with the part that was shared with other trials',
  right: true,
  value: (members) => mean(members.map((k) => trials[k].seconds)),
  cell: (members) => {
    const [seconds, shared] = ['seconds', 'shared']
      .map((part) => mean(members.map((k) => trials[k][part])));
    return el('span', {
      title: shared > 0 ? `of which ${duration(shared)} shared with other trials` : null,
    }, seconds ? duration(seconds) : '–');
  },
};

const trialColumn = {
  key: 'trial', head: ['', 'trial'], value: ([k]) => trials[k].id, cell: detailsCell,
};

function axisColumn(axis, index) {
  const value = ([k]) => trials[k].values[index];
  const right = axis.values.every((each) => typeof each === 'number' || each === null);
  return {
    key: axis.name,
    head: nameParts(axis.name),
    right,
    value: (members) => (right ? value(members) : axis.values.indexOf(value(members))),
    cell: (members) => {
      if (axis.seed && members.length > 1) {
        const distinct = new Set(members.map((k) => trials[k].values[index])).size;
        return el('span', { class: 'muted' }, `× ${distinct}`,
          el('span', { class: 'hidden-text' }, ' values'));
      }
      const each = value(members);
      return each === null ? el('span', { class: 'muted' }, '–') : el('span', {}, shown(each));
    },
  };
}

function measureColumn(measure) {
  const { name } = measure;
  const digits = decimalsOf(name);
  return {
    key: name,
    measure,
    head: ['', arrowed(name)],
    about: `${measure.formula}; range ${measure.range}`,
    right: true,
    digits,
    value: (members) => scoreOf(name, members),
    cell: (members) => measureCell(measure, digits, members),
  };
}

// Of one trial its own score; of all repeats their place's mean, which makes up for missing seeds.
function scoreOf(name, members) {
  const scores = scoresOf(members, name);
  if (!scores.length) return null;
  return groupPlace(name, members)?.mean ?? mean(scores);
}

function groupPlace(name, members) {
  const group = groupOf[members[0]];
  return members.length === sweep.groups[group].length ? placeOf(name, group) : undefined;
}

function measureCell(measure, digits, members) {
  const score = scoreOf(measure.name, members);
  if (score === null) return el('span', { class: 'muted' }, '–');
  const place = groupPlace(measure.name, members);
  const best = place?.rank === 0 && sweep.verdicts[measure.name].standings.length > 1;
  const mark = (sign, told) => [
    el('span', { class: 'mark', title: told }, sign),
    el('span', { class: 'hidden-text' }, ` ${told}`),
  ];
  return el(
    'span', { class: `score${best ? ' best' : ''}${place?.inside ? ' inside' : ''}` },
    number(score, digits),
    missing(place?.spread) ? null
      : el('span', { class: 'spread' }, ` ± ${number(place.spread, digits)}`),
    measure.better === null ? null : el('span', { class: 'marks' },
      best ? mark('★', 'best') : null,
      place?.inside ? mark('≈', 'cannot be told from the best') : null),
  );
}

function stateOf(members) {
  const states = [...new Set(members.map((k) => trials[k].state))];
  return states.sort().join(', ');
}

function stateCell(members) {
  const counts = new Map();
  members.forEach((k) => counts.set(trials[k].state, (counts.get(trials[k].state) ?? 0) + 1));
  return el('span', {}, [...counts].map(([name, count]) => el(
    'span', { class: `state ${name}` }, members.length > 1 ? `${count} ${name}` : name,
  )));
}

function detailsCell(members) {
  const many = members.length > 1;
  const k = many ? bestMember(groupOf[members[0]], state.measure) : members[0];
  return el('button', {
    class: many ? 'link' : 'link mono',
    onclick: () => openDetails(k),
    'aria-label': many ? `Settings of ${labelOf(k, false)}` : `Trial ${trials[k].id}`,
  }, many ? 'settings' : trials[k].id);
}
