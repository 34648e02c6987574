// How much of each measure's variance is due to each setting, as a table of bars.

function startImportance() {
  const known = sweep.measures.filter(({ name }) => !sweep.importance[name].why_not);
  if (!known.length) {
    const why = [...new Set(Object.values(sweep.importance).map((each) => each.why_not))];
    replace(byId('importance-body'), el('p', { class: 'muted' }, why.length
      ? `Importance of settings is not known: ${why.join('; ')}.` : 'No trial has a measure yet.'));
    return;
  }
  on('measure', () => drawImportance(known));
  drawImportance(known);
}

const shareOf = (axis, measure) => sweep.importance[measure].shares[axis.name] ?? 0;

function drawImportance(known) {
  const first = known.some(({ name }) => name === state.measure) ? state.measure : known[0].name;
  const axes = [...sweep.axes]
    .sort((a, b) => a.seed - b.seed || shareOf(b, first) - shareOf(a, first));
  const head = known.map(({ name }) => el(
    'th', { scope: 'col', class: name === first ? 'chosen' : null }, name,
  ));
  const rows = axes.map((axis) => el(
    'tr', {},
    el('th', { scope: 'row' }, axisName(axis.name),
      axis.seed ? el('span', { class: 'muted' }, ' (noise)') : null),
    known.map(({ name }) => shareCell(shareOf(axis, name))),
  ));
  const most = Math.max(...known.map(({ name }) => sweep.importance[name].trials));
  const noise = axes.some((axis) => axis.seed)
    ? '; a share below that of the seed is noise' : '';
  replace(
    byId('importance-body'),
    scroller('Importance of settings', el(
      'table', { class: 'shares' },
      el('caption', { class: 'hidden-text' }, 'Share of each measure that a setting decides'),
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'setting'), head)),
      el('tbody', {}, rows),
    )),
    el('p', { class: 'muted small' }, 'Share of the variance between trials (fANOVA over '
      + `${counted(most, 'trial')}). It says how much a setting decides, not which value is `
      + `better${noise}.`),
  );
}

function shareCell(share) {
  return el('td', {}, el(
    'div', { class: 'share' },
    el('i', { class: 'bar', style: { width: `${(share * 100).toFixed(1)}%` } }),
    el('span', {}, `${Math.round(share * 100)} %`),
  ));
}
