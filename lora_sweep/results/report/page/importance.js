// How much of each measure's variance is due to each setting, as a table of bars.

function startImportance() {
  const known = sweep.measures.filter(({ name }) => !sweep.importance[name].why_not);
  const body = byId('importance-body');
  if (!known.length) {
    const reasons = [...new Set(Object.values(sweep.importance).map((each) => each.why_not))];
    replace(body, el('p', { class: 'muted' }, reasons.length ? `Importance of settings: ${reasons.join('; ')}.` : 'No trial has a measure yet.'));
    return;
  }
  const axes = [...sweep.axes].sort((a, b) => total(b.name, known) - total(a.name, known));
  replace(
    body,
    el('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Importance of settings' }, el(
      'table', { class: 'shares' }, el('caption', { class: 'hidden-text' }, 'Share of each measure that a setting decides'),
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'setting'), known.map(({ name }) => el('th', { scope: 'col' }, name)))),
      el('tbody', {}, axes.map((axis) => el(
        'tr', {}, el('th', { scope: 'row' }, axisName(axis.name), axis.seed ? el('span', { class: 'muted' }, ' (noise)') : null),
        known.map(({ name }) => shareCell(sweep.importance[name].shares[axis.name] ?? 0)),
      ))),
    )),
    el('p', { class: 'muted small' }, 'Share of the variance between trials (fANOVA over ',
      counted(Math.max(...known.map(({ name }) => sweep.importance[name].trials)), 'trial'),
      '). It says how much a setting decides, not which value is better; a share below that of the seed is noise.'),
  );
}

const total = (axis, known) => known.reduce((sum, { name }) => sum + (sweep.importance[name].shares[axis] ?? 0), 0);

function shareCell(share) {
  return el('td', {}, el('div', { class: 'share' },
    el('i', { class: 'bar', style: { width: `${(share * 100).toFixed(1)}%` } }), el('span', {}, `${Math.round(share * 100)} %`)));
}
